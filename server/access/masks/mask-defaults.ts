import { isNumericSegment, type Path } from "#protocol/paths";
import { isObjectValue, type ObjectValue, type Value } from "#protocol/values";

/** A value that a create gets where the caller left it out. */
export interface MaskDefault {
  readonly path: Path;
  readonly value: Value;
}

/**
 * The fields with the defaults of what is absent; the same object if nothing is. Objects that lead to a field are made;
 * in an array every element that is an object gets the default; a value of another kind on the way is left alone. Nothing
 * given is changed.
 */
export function fillDefaults(fields: ObjectValue, defaults: readonly MaskDefault[]): ObjectValue {
  let filled = fields;
  for (const { path, value } of defaults) filled = filledObject(filled, path, value);
  return filled;
}

function filledObject(object: ObjectValue, path: Path, value: Value): ObjectValue {
  const [key, ...rest] = path as readonly [string, ...string[]];
  if (!Object.hasOwn(object, key)) {
    // An index leads to an element, and none is made up.
    return rest.some(isNumericSegment) ? object : { ...object, [key]: nested(rest, value) };
  }
  const found = object[key] as Value;
  const filled = rest.length === 0 ? found : filledValue(found, rest, value);
  return filled === found ? object : { ...object, [key]: filled };
}

function filledValue(found: Value, path: Path, value: Value): Value {
  if (isObjectValue(found)) return filledObject(found, path, value);
  if (!Array.isArray(found)) return found;
  const [first, ...rest] = path as readonly [string, ...string[]];
  const filled = (found as readonly Value[]).map((element, i) => {
    if (first === String(i) && rest.length > 0) return filledValue(element, rest, value);
    return isObjectValue(element) && !isNumericSegment(first) ? filledObject(element, path, value) : element;
  });
  return filled.some((element, i) => element !== found[i]) ? filled : found;
}

function nested(path: Path, value: Value): Value {
  return path.reduceRight<Value>((inner, key) => ({ [key]: inner }), value);
}
