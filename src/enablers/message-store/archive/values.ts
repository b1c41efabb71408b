const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const isUuid = (value: string): boolean => uuid.test(value)

/** The names on a path from the root; undefined where it is none. */
export function readPath(path: string): string[] | undefined {
  if (path === '') return []
  const names = path.split('/')
  return names.every((name) => name !== '') && names.length <= 32 ? names : undefined
}
