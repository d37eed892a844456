/**
 * Some items: often one, which then costs nothing, or a few, which lie side by side. Whoever asks for them goes through all
 * of them, and a set would be slow to tell where they are.
 */
export type Items<E extends object> = E | E[] | Set<E>;

/** Among so many, one is looked for one by one. */
const FEW = 16;

/** What is held already may be changed in place. */
export function withItem<E extends object>(items: Items<E> | undefined, item: E): Items<E> {
  if (items === undefined || items === item) return item;
  if (items instanceof Set) return items.add(item);
  if (!Array.isArray(items)) return [items, item];
  if (items.includes(item)) return items;
  if (items.length >= FEW) return new Set(items).add(item);
  items.push(item);
  return items;
}

/** As `withItem`. @returns undefined if none is left */
export function withoutItem<E extends object>(items: Items<E>, item: E): Items<E> | undefined {
  if (items instanceof Set) {
    items.delete(item);
    return items.size === 0 ? undefined : items;
  }
  if (!Array.isArray(items)) return items === item ? undefined : items;
  const at = items.indexOf(item);
  if (at >= 0) items.splice(at, 1);
  return items.length === 0 ? undefined : items;
}

export function countItems<E extends object>(items: Items<E> | undefined): number {
  if (items === undefined) return 0;
  if (items instanceof Set) return items.size;
  return Array.isArray(items) ? items.length : 1;
}

export function eachItem<E extends object>(items: Items<E>, visit: (item: E) => void): void {
  if (items instanceof Set) items.forEach(visit);
  else if (Array.isArray(items)) for (let i = 0; i < items.length; i++) visit(items[i] as E);
  else visit(items);
}
