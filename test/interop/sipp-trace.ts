/** What sipp noted of one call. */
export interface TracedCall {
  readonly sentAt: number
  /** The final response: its time and status. */
  answeredAt?: number
  status?: number
}

/** The calls in what `-trace_msg` wrote, by Call-ID. */
export function readTrace(trace: string): Map<string, TracedCall> {
  const calls = new Map<string, TracedCall>()
  for (const entry of trace.split(/^-{20,} /m)) {
    const callId = /^Call-ID: (\S+)/im.exec(entry)?.[1]
    if (callId === undefined) continue
    const at = new Date(entry.slice(0, 23).replace(' ', 'T')).getTime()
    const status = Number(/^SIP\/2\.0 (\d{3})/m.exec(entry)?.[1] ?? 0)
    const call = calls.get(callId)
    if (call === undefined) calls.set(callId, { sentAt: at })
    else if (status >= 200 && call.status === undefined) Object.assign(call, { answeredAt: at, status })
  }
  return calls
}
