import pg from 'pg'

/** A connection is given up after this, so that a host that swallows packets is not waited for. */
export const connectTimeoutMs = 3000
/** A server that does not answer a hot statement within this is taken for dead … */
const defaultAnswerTimeoutMs = 5000
/** … and one that lives ends the statement earlier itself. */
const statementShare = 0.8

const int8 = 20
const int8Array = 1016

const toNumbers = (text: string): (number | null)[] =>
  text === '{}' ? [] : Array.from(text.slice(1, -1).split(','), (item) => (item === 'NULL' ? null : Number(item)))

/** bigint columns are numbers: ids and sequences stay below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser(id: number, format?: 'text' | 'binary') {
    if (format !== 'binary' && id === int8) return Number
    if (format !== 'binary' && id === int8Array) return toNumbers
    return pg.types.getTypeParser(id, format)
  },
}

/** How every connection to `url` is made. */
export function connectionTo(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'parley',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    types,
  }
}

/** The same, for statements that somebody waits for. */
export function hotConnectionTo(url: string, answerTimeoutMs = defaultAnswerTimeoutMs): pg.ClientConfig {
  const statementTimeout = Math.ceil(answerTimeoutMs * statementShare)
  return { ...connectionTo(url), statement_timeout: statementTimeout, query_timeout: answerTimeoutMs }
}
