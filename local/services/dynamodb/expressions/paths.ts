/** Reading and writing at document paths. Items are never changed in place: a write copies the way to its place. */
import { invalid, setMember } from '../attribute-value';
import type { AttributeValue, Item } from '../attribute-value';
import type { Path } from './ast';

function child(value: AttributeValue | undefined, element: string | number): AttributeValue | undefined {
  if (value === undefined) return undefined;
  if (typeof element === 'number') return 'L' in value ? value.L[element] : undefined;
  return 'M' in value && Object.hasOwn(value.M, element) ? value.M[element] : undefined;
}

export function getPath(item: Item, path: Path): AttributeValue | undefined {
  let value = Object.hasOwn(item, path[0]) ? item[path[0]] : undefined;
  for (let at = 1; at < path.length; at++) value = child(value, path[at] as string | number);
  return value;
}

function invalidPath() {
  return invalid('The document path provided in the update expression is invalid for update');
}

/** Undefined as the new value removes. @throws AwsError ValidationException where the path's parent is missing. */
function change(
  value: AttributeValue | undefined,
  path: readonly (string | number)[],
  next: AttributeValue | undefined,
): AttributeValue | undefined {
  if (path.length === 0) return next;
  const [element, ...rest] = path as [string | number, ...(string | number)[]];
  if (value === undefined) throw invalidPath();
  if (typeof element === 'number') {
    if (!('L' in value)) throw invalidPath();
    const list = [...value.L];
    if (rest.length > 0) {
      list[element] = change(list[element], rest, next) as AttributeValue;
    } else if (next === undefined) {
      list.splice(element, 1);
    } else {
      // An index beyond the end appends.
      list[Math.min(element, list.length)] = next;
    }
    return { L: list };
  }
  if (!('M' in value)) throw invalidPath();
  return { M: changeMember(value.M, element, rest, next) };
}

function changeMember(
  map: Item,
  name: string,
  rest: readonly (string | number)[],
  next: AttributeValue | undefined,
): Item {
  const value = change(Object.hasOwn(map, name) ? map[name] : undefined, rest, next);
  const copy: Record<string, AttributeValue> = { ...map };
  if (value === undefined) delete copy[name];
  else setMember(copy, name, value);
  return copy;
}

/** @throws AwsError ValidationException where the path's parent is missing or no document. */
export function setPath(item: Item, path: Path, value: AttributeValue): Item {
  return changeMember(item, path[0], path.slice(1), value);
}

/** @throws AwsError ValidationException where the path's parent is missing or no document. */
export function removePath(item: Item, path: Path): Item {
  return changeMember(item, path[0], path.slice(1), undefined);
}

interface Selection {
  whole: boolean;
  readonly children: Map<string | number, Selection>;
}

/** The parts of the item at the paths, nested as in the item; list elements close up in order. */
export function project(item: Item, paths: readonly Path[]): Item {
  const root: Selection = { whole: false, children: new Map() };
  for (const path of paths) {
    let node = root;
    for (const element of path) {
      let next = node.children.get(element);
      if (next === undefined) node.children.set(element, (next = { whole: false, children: new Map() }));
      node = next;
    }
    node.whole = true;
  }
  const selected = select({ M: item }, root);
  return selected !== undefined && 'M' in selected ? selected.M : {};
}

function select(value: AttributeValue, selection: Selection): AttributeValue | undefined {
  if (selection.whole) return value;
  const elements = [...selection.children];
  if ('L' in value) {
    const list = elements
      .filter(([element]) => typeof element === 'number')
      .sort(([left], [right]) => Number(left) - Number(right))
      .flatMap(([element, next]) => {
        const member = child(value, element);
        return (member === undefined ? undefined : select(member, next)) ?? [];
      });
    return list.length === 0 ? undefined : { L: list };
  }
  if (!('M' in value)) return undefined;
  const members = elements.flatMap(([element, next]): [string, AttributeValue][] => {
    const member = child(value, element);
    const part = member === undefined ? undefined : select(member, next);
    return part === undefined ? [] : [[String(element), part]];
  });
  return members.length === 0 ? undefined : { M: Object.fromEntries(members) };
}
