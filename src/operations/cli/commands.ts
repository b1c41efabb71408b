/** An option as node:util parseArgs wants it, and what help says of it. */
export interface Option {
  readonly type: 'string' | 'boolean'
  readonly multiple?: boolean
  readonly short?: string
  /** Stands for the value in help. */
  readonly value?: string
  readonly meaning: string
}

/** Understood by every command. */
export const commonOptions = {
  config: { type: 'string', value: 'FILE', meaning: 'the configuration, YAML (or PARLEY_CONFIG)' },
  set: { type: 'string', multiple: true, value: 'KEY=VALUE', meaning: 'a key of the configuration, repeatable' },
  json: { type: 'boolean', meaning: 'results as JSON' },
  help: { type: 'boolean', short: 'h', meaning: 'this text' },
  version: { type: 'boolean', meaning: 'the version' },
} as const satisfies Record<string, Option>

export const ownOptions = {
  password: { type: 'string', value: 'P', meaning: 'the password (or PARLEY_PASSWORD)' },
  tel: { type: 'string', value: 'TEL', meaning: 'a telephone number as second identity' },
  name: { type: 'string', value: 'NAME', meaning: 'the name shown to others' },
  server: { type: 'string', value: 'URI', meaning: 'where the server is, such as sip:127.0.0.1:5060;transport=tcp' },
  wait: { type: 'boolean', meaning: 'wait until the recipient has the message, 30 s at most' },
  count: { type: 'string', value: 'N', meaning: 'end after N messages' },
  format: {
    type: 'string',
    value: 'FORMAT',
    meaning: 'jsonl (the default; nothing is lost) or mbox (for mail readers)',
  },
  out: { type: 'string', value: 'FILE', meaning: 'write to a file, in place of standard output' },
  strict: { type: 'boolean', meaning: 'import nothing of a file that has a bad line' },
  yes: { type: 'boolean', meaning: 'do not ask' },
  seconds: { type: 'string', value: 'N', meaning: 'end after N seconds' },
} as const satisfies Record<string, Option>

export type OwnOption = keyof typeof ownOptions

export interface Command {
  /** One word or two. */
  readonly name: string
  readonly operands: readonly string[]
  /** One more, which may be left out. */
  readonly optional?: string
  readonly options: readonly OwnOption[]
  readonly meaning: string
}

export const commands = [
  { name: 'start', operands: [], options: [], meaning: 'serve, until SIGINT or SIGTERM' },
  { name: 'config check', operands: [], options: [], meaning: 'check the configuration' },
  { name: 'config show', operands: [], options: [], meaning: 'print it with its defaults, secrets masked' },
  { name: 'config keys', operands: [], options: [], meaning: 'print a table of all keys, Markdown' },
  { name: 'user add', operands: ['URI'], options: ['password', 'tel', 'name'], meaning: 'add a user' },
  { name: 'user list', operands: [], options: [], meaning: 'list the users' },
  { name: 'user remove', operands: ['URI'], options: [], meaning: 'remove a user and all that is kept for them' },
  { name: 'user password', operands: ['URI'], options: ['password'], meaning: 'set a password' },
  { name: 'user import', operands: ['FILE'], options: [], meaning: 'add users from CSV: uri,password,tel,name' },
  {
    name: 'store export',
    operands: ['USER'],
    options: ['format', 'out'],
    meaning: 'write out all that a user has stored',
  },
  {
    name: 'store import',
    operands: ['USER', 'FILE'],
    options: ['strict'],
    meaning: 'add what was exported, of this user or another; what is there stays as it is',
  },
  {
    name: 'store erase',
    operands: ['USER'],
    options: ['yes'],
    meaning: 'erase all that a user has stored, for good',
  },
  { name: 'migrate', operands: [], options: [], meaning: 'bring the database to this version' },
  {
    name: 'message',
    operands: ['FROM', 'TO', 'TEXT'],
    options: ['password', 'server', 'wait'],
    meaning: 'send a message as a SIP client',
  },
  {
    name: 'listen',
    operands: ['USER'],
    options: ['password', 'server', 'count', 'seconds'],
    meaning: 'register as a SIP client and print what comes, in chats as well',
  },
  {
    name: 'chat',
    operands: ['USER'],
    optional: 'TO',
    options: ['password', 'server', 'seconds'],
    meaning: 'chat with TO, or with the first who calls; a line is a message, Ctrl-D ends',
  },
  { name: 'help', operands: [], options: [], meaning: 'this text' },
] as const satisfies readonly Command[]

export type CommandName = (typeof commands)[number]['name']
