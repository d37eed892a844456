import { isCollectionName } from "#protocol/batch";
import { describe } from "#protocol/describe";
import { Faults } from "#protocol/errors";
import { parseMembers } from "#protocol/members";
import { parsePlainPath } from "#protocol/paths";
import { TEMPLATES, type TemplateName } from "../access/templates/template.ts";

export interface TemplateRequest {
  readonly name: string;
  readonly template: TemplateName;
  readonly field: string;
}

/** Body of `POST /v1/admin/collections` with a template. @throws GalleyError `invalid_argument` with every fault */
export function parseTemplate(body: unknown): TemplateRequest {
  const faults = new Faults();
  const members = parseMembers(body, "", ["name", "template", "field"], faults);
  const name = members?.get("name");
  const named = isCollectionName(name);
  if (!named) faults.add("name", "bad_value", "expects a-z, then up to 62 of a-z 0-9 _ -");
  const given = members?.get("template");
  const template = (Object.keys(TEMPLATES) as TemplateName[]).find((known) => known === given);
  if (!template) faults.add("template", "bad_value", `expects one of ${Object.keys(TEMPLATES).join(", ")}`);
  if (template === "team" && (name === "teams" || name === "team_members")) {
    faults.add("name", "bad_value", "is where the template keeps teams: name what belongs to them");
  }
  const { field = template ? TEMPLATES[template] : "" } = { field: members?.get("field") };
  const isField = typeof field === "string" && parsePlainPath(field, "field", faults).length === 1;
  if (!isField) faults.add("field", "bad_value", `expects the name of a field at the top, got ${describe(field)}`);
  else if (field.startsWith("_") || (template === "team" && field === "authorId")) {
    faults.add("field", "bad_value", "is taken: name another field");
  }
  faults.throwIfAny();
  return { name: name as string, template: template as TemplateName, field: field as string };
}
