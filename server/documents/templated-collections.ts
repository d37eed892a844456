import { GalleyError } from "#protocol/errors";
import { type AdminScope, authorizeAdmin } from "../access/authorize.ts";
import type { RulesService, RulesVisit } from "../access/publishing/rules-contract.ts";
import { withTemplate } from "../access/templates/merge.ts";
import { type Declaration, templateOf } from "../access/templates/template.ts";
import type { CollectionInfo, CollectionService } from "./contract.ts";
import { parseTemplate, type TemplateRequest } from "./template-input.ts";

/** Times that somebody else may publish meanwhile. */
const ATTEMPTS = 5;

/**
 * Collections that a template opens: declared with its schema and index first, so that nothing is open before it is
 * guarded, then published with the rules in force.
 */
export function withTemplates(collections: CollectionService, rules: RulesService): CollectionService {
  return {
    ...collections,
    create(scope, body, visit) {
      const named = typeof body === "object" && body !== null && Object.hasOwn(body, "template");
      return named ? createFrom(scope, parseTemplate(body), visit) : collections.create(scope, body, visit);
    },
  };

  async function createFrom(scope: AdminScope, request: TemplateRequest, visit?: RulesVisit): Promise<CollectionInfo> {
    const ruleScope = authorizeAdmin(scope.principal, "rules", "write");
    const from = visit ?? { address: scope.principal.address, userAgent: "", requestId: "" };
    const { declarations } = templateOf(request.template, request.name, request.field);
    // First, so that nothing is declared if the rules cannot be.
    await check(ruleScope, request);
    const made: string[] = [];
    try {
      for (const declaration of declarations)
        if (await declare(scope, declaration, request.name)) made.push(declaration.name);
      await publish(ruleScope, request, from);
    } catch (error) {
      // Nothing opened them, so nobody but keys and admins can have written there.
      for (const name of made.reverse()) await dropEmpty(scope, name).catch(() => {});
      throw error;
    }
    return collections.get(scope, request.name);
  }

  /** @throws GalleyError what stands in the way */
  async function check(scope: AdminScope, request: TemplateRequest): Promise<void> {
    const { faults, tests } = await rules.check(scope, await merged(scope, request));
    const [fault] = faults;
    const [red] = tests.filter(({ passed }) => !passed);
    if (fault) throw inTheWay(fault.message, { faults });
    if (red) throw inTheWay(`with the template a test fails: ${red.name}: ${red.message}`, { tests: [red] });
  }

  async function merged(scope: AdminScope, { template, name, field }: TemplateRequest) {
    const current = await rules.current(scope);
    const body = withTemplate(current, name, templateOf(template, name, field));
    return { ...body, ifVersion: current.version };
  }

  async function publish(scope: AdminScope, request: TemplateRequest, visit: RulesVisit): Promise<void> {
    for (let tried = 1; ; tried++) {
      const body = await merged(scope, request);
      // What was published before was read then, and a template has no warnings of its own once it is declared.
      const acknowledge = (await rules.check(scope, body)).findings.map(({ id }) => id);
      const note = `${request.name} from the template ${request.template}`;
      try {
        await rules.publish(scope, { ...body, acknowledge, note }, visit);
        return;
      } catch (error) {
        if (tried === ATTEMPTS || !(error instanceof GalleyError) || error.code !== "version_conflict") throw error;
      }
    }
  }

  /** @returns whether it was not there. Only the collection that was asked for must not be. */
  async function declare(scope: AdminScope, declaration: Declaration, asked: string): Promise<boolean> {
    try {
      await collections.create(scope, structuredClone(declaration));
      return true;
    } catch (error) {
      const exists = error instanceof GalleyError && error.code === "already_exists";
      if (exists && declaration.name !== asked) return false;
      throw error;
    }
  }

  async function dropEmpty(scope: AdminScope, name: string): Promise<void> {
    if ((await collections.get(scope, name)).documents === 0) await collections.drop(scope, name);
  }
}

function inTheWay(message: string, details: object): GalleyError {
  return new GalleyError("failed_precondition", message, {
    reason: "template_in_the_way",
    outcome: "not_applied",
    ...details,
  });
}
