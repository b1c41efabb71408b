/**
 * Columns of rows as arrays in Postgres's binary form, for `unnest`: written once into one Buffer, read by the server
 * without parsing. Bytes in particular pass as they are; in text form they would be hexadecimal with escapes.
 */
const oid = { bool: 16, bytea: 17, int8: 20, int4: 23, text: 25, timestamptz: 1184, uuid: 2950 }
const headBytes = 20
const isNull = -1
/** Microseconds since 2000, as the server counts. */
const epochMs = 946_684_800_000

type Column<T> = readonly (T | null | undefined)[]

export const bytes = (column: Column<Buffer>): Buffer => {
  let size = headBytes
  for (const value of column) size += 4 + (value?.length ?? 0)
  const array = begin(oid.bytea, column.length, size)
  let at = headBytes
  for (const value of column) {
    at = array.writeInt32BE(value?.length ?? isNull, at)
    if (value) at += value.copy(array, at)
  }
  return array
}

export const texts = (column: Column<string>): Buffer => {
  let size = headBytes
  for (const value of column) size += 4 + (value ? value.length * 3 : 0) // UTF-8 needs three bytes a code unit at most
  const array = begin(oid.text, column.length, size)
  let at = headBytes
  for (const value of column) {
    const length = value == null ? isNull : array.write(value, at + 4)
    array.writeInt32BE(length, at)
    at += 4 + Math.max(length, 0)
  }
  return array.subarray(0, at)
}

export const bigints = (column: Column<number>): Buffer => fixed(oid.int8, 8, column, writeInt64)

export const integers = (column: Column<number>): Buffer =>
  fixed(oid.int4, 4, column, (array, value, at) => array.writeInt32BE(value, at))

export const booleans = (column: Column<boolean>): Buffer =>
  fixed(oid.bool, 1, column, (array, value, at) => array.writeUInt8(value ? 1 : 0, at))

/** Times in milliseconds since 1970. */
export const times = (column: Column<number>): Buffer =>
  fixed(oid.timestamptz, 8, column, (array, value, at) => writeInt64(array, Math.round((value - epochMs) * 1000), at))

export const uuids = (column: Column<string>): Buffer =>
  fixed(oid.uuid, 16, column, (array, value, at) => {
    array.write(value.replaceAll('-', ''), at, 16, 'hex')
  })

function writeInt64(array: Buffer, value: number, at: number): void {
  array.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  array.writeUInt32BE(value >>> 0, at + 4)
}

type Write<T> = (array: Buffer, value: T, at: number) => void

function fixed<T>(type: number, width: number, column: Column<T>, write: Write<T>): Buffer {
  const array = begin(type, column.length, headBytes + column.length * (4 + width))
  let at = headBytes
  for (const value of column) {
    at = array.writeInt32BE(value == null ? isNull : width, at)
    if (value == null) continue
    write(array, value, at)
    at += width
  }
  return array.subarray(0, at)
}

/** One dimension, counted from 1; that there may be nulls is said always, which costs nothing. */
function begin(type: number, length: number, size: number): Buffer {
  const array = Buffer.allocUnsafe(size)
  array.writeInt32BE(1, 0)
  array.writeInt32BE(1, 4)
  array.writeInt32BE(type, 8)
  array.writeInt32BE(length, 12)
  array.writeInt32BE(1, 16)
  return array
}
