export interface Tree {
  [name: string]: unknown
}

/** `a.b` and its value to `{ a: { b: value } }`; what has no value leaves only its section. */
export function nest(values: readonly (readonly [name: string, value: unknown])[]): Tree {
  const root: Tree = {}
  for (const [name, value] of values) place(root, name.split('.'), value)
  return root
}

function place(tree: Tree, [name = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length > 0) {
    tree[name] ??= {}
    place(tree[name] as Tree, rest, value)
  } else if (value !== undefined) tree[name] = value
}
