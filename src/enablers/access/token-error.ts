type Code = 'invalid_request' | 'invalid_grant' | 'invalid_scope' | 'unsupported_grant_type'

/** What the token endpoint answers with 400 (RFC 6749 §5.2). */
export class TokenError extends Error {
  readonly code: Code
  constructor(code: Code, description: string) {
    super(description)
    this.code = code
  }
}
