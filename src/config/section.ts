import { z } from 'zod'

/** What is known of a key besides its values. */
export interface KeyNotes {
  readonly meaning: string
  /** As it would be written; undefined where there is none. */
  readonly default?: string
  /** In place of the default in the table, where that is no value. */
  readonly defaultNote?: string
  readonly secret?: boolean
  readonly list?: boolean
}

export const notes = z.registry<KeyNotes>()

type Written<T> = z.ZodType<T, string>

/** A key with a default. */
export function key<T>(value: Written<T>, byDefault: string, meaning: string, more: Partial<KeyNotes> = {}) {
  return value.prefault(byDefault).register(notes, { meaning, default: byDefault, ...more })
}

/** A key that may be left out. */
export function optionalKey<T>(value: Written<T>, meaning: string, more: Partial<KeyNotes> = {}) {
  return value.optional().register(notes, { meaning, ...more })
}

/** Keys under one name; others are refused. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape).readonly()
}
