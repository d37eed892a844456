import { GalleyError } from "#protocol/errors";
import { isObjectValue } from "#protocol/values";
import type { RulesBody } from "../publishing/rules-contract.ts";
import type { Json, Template } from "./template.ts";

/**
 * A set of rules and its tests with a template's added. What is there stays as it is: a collection that has rules keeps
 * them, and what a template needs beside its own collection must be there as it says, or not at all.
 *
 * @param current as sent before; null where nothing was published
 * @throws GalleyError `already_exists` if the collection has rules, `failed_precondition` if something else is in the way
 */
export function withTemplate(current: RulesBody, collection: string, template: Template): RulesBody {
  const rules = objectOf(current.rules);
  const shared = objectOf(rules.shared);
  const collections = objectOf(rules.collections);
  if (Object.hasOwn(collections, collection)) {
    const message = `the access rules speak of "${collection}" already: they stay as they are`;
    throw new GalleyError("already_exists", message, { outcome: "not_applied" });
  }
  const tests = objectOf(current.tests);
  const own = template.rules.shared;
  return {
    rules: {
      ...{ format: 1, ...rules },
      ...(own && {
        shared: {
          ...shared,
          lookups: joined(shared.lookups, own.lookups, "shared.lookups"),
          macros: joined(shared.macros, own.macros, "shared.macros"),
        },
      }),
      collections: joined(collections, template.rules.collections, "collections"),
    },
    tests: {
      ...tests,
      users: joined(tests.users, template.tests.users, "tests.users"),
      documents: appended(objectOf(tests.documents), template.tests.documents),
      tests: [...(Array.isArray(tests.tests) ? tests.tests : []), ...template.tests.tests],
    },
  };
}

function joined(current: unknown, added: Json, at: string): Json {
  const held = objectOf(current);
  for (const [name, value] of Object.entries(added)) {
    if (!Object.hasOwn(held, name) || JSON.stringify(held[name]) === JSON.stringify(value)) continue;
    const message = `${at}.${name}: is not what the template needs, and stays as it is: write the rules yourself`;
    throw new GalleyError("failed_precondition", message, { reason: "template_in_the_way", outcome: "not_applied" });
  }
  return { ...held, ...added };
}

function appended(current: Json, added: Template["tests"]["documents"]): Json {
  const lists = Object.entries(added).map(([name, documents]) => {
    const held = Object.hasOwn(current, name) ? current[name] : [];
    return [name, [...(Array.isArray(held) ? held : []), ...documents]];
  });
  return { ...current, ...Object.fromEntries(lists) };
}

function objectOf(input: unknown): Json {
  return isObjectValue(input) ? (input as Json) : {};
}
