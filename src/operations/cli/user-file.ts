import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { Failure } from '../../failure.ts'

/** A line of the file, as Subscribers take it. */
export interface UserLine {
  readonly uri: string
  readonly password: string
  readonly tel?: string
  readonly name?: string
}

interface Record {
  readonly record: { readonly [column: string]: string }
  readonly info: { readonly lines: number }
}

const columns: readonly string[] = ['uri', 'password', 'tel', 'name']

/** CSV with a header: `uri,password` and, where there are such, `tel,name`. However long it is, a line at a time is held. */
export async function* readUserFile(file: string): AsyncGenerator<UserLine> {
  const parser = createReadStream(file)
    .on('error', (err) => parser.destroy(err))
    .pipe(
      parse({ bom: true, skip_empty_lines: true, trim: true, info: true, columns: (header) => checked(file, header) }),
    )
  try {
    for await (const { record, info } of parser as AsyncIterable<Record>) yield readLine(file, record, info.lines)
  } catch (err) {
    if (err instanceof Failure) throw err
    const [reason = ''] = (err as Error).message.split('\n')
    throw new Failure('malformed', `cannot read ${file}: ${reason}`)
  }
}

function checked(file: string, header: readonly string[]): string[] {
  if (header.every((name) => columns.includes(name)) && header.includes('uri') && header.includes('password')) {
    return [...header]
  }
  throw new Failure('malformed', `the first line of ${file} must be a header: uri,password,tel,name`)
}

function readLine(file: string, { uri, password, tel, name }: Record['record'], line: number): UserLine {
  if (!uri || !password) throw new Failure('malformed', `${file}, line ${line}: uri and password are needed`)
  return { uri, password, ...(tel && { tel }), ...(name && { name }) }
}
