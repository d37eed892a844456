/** Some items, often one, which then costs no set. */
export type Items<E extends object> = E | Set<E>;

export function withItem<E extends object>(items: Items<E> | undefined, item: E): Items<E> {
  if (items === undefined || items === item) return item;
  return items instanceof Set ? items.add(item) : new Set([items, item]);
}

/** @returns undefined if none is left */
export function withoutItem<E extends object>(items: Items<E>, item: E): Items<E> | undefined {
  if (!(items instanceof Set)) return items === item ? undefined : items;
  items.delete(item);
  return items.size === 0 ? undefined : items;
}

export function countItems<E extends object>(items: Items<E> | undefined): number {
  if (items === undefined) return 0;
  return items instanceof Set ? items.size : 1;
}

export function eachItem<E extends object>(items: Items<E>, visit: (item: E) => void): void {
  if (items instanceof Set) items.forEach(visit);
  else visit(items);
}
