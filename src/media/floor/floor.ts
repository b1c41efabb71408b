import {
  denials,
  revocations,
  type TalkBurst,
  type TalkBurstContent,
  unlimited,
} from '../../protocols/floor/talk-burst.ts'
import type { TalkBurstParameters } from '../../protocols/sdp/talk-burst-media.ts'
import type { Clock, FloorTimers } from './floor-timers.ts'
import { TalkQueue } from './talk-queue.ts'

/** Who may ask for the floor, and what was agreed with them. */
export interface Member extends TalkBurstParameters {
  readonly uri: string
  readonly name?: string | undefined
}

export interface FloorNeeds<Id> {
  readonly clock: Clock
  readonly timers: FloorTimers
  send(to: Id, message: TalkBurstContent): void
  /** RTP of that participant passes from now on, or does not. */
  permit(id: Id, permitted: boolean): void
  /** When RTP of that participant came last, by the clock; undefined where nobody can tell. */
  heardAt(id: Id): number | undefined
}

const [normal, preemptive] = [1, 3]

interface Burst<Id> {
  readonly holder: Id
  readonly priority: number
  readonly since: number
}

/**
 * The floor of one session: who may speak now (OMA PoC User Plane §6.4.4, the server's side of talk burst control). The
 * states are those of the specification: G: TB_Idle, G: TB_Taken and G: pending TB_Revoke.
 */
export class Floor<Id> {
  readonly #needs: FloorNeeds<Id>
  readonly #members = new Map<Id, Member>()
  readonly #sources = new Map<Id, number>()
  readonly #queue = new TalkQueue<Id>()
  /** Until when a participant that talked too long is denied. */
  readonly #penalties = new Map<Id, number>()
  /** T8 of those who were cut off. */
  readonly #reminders = new Map<Id, () => void>()
  readonly #timers = new Map<'T1' | 'T2' | 'T3' | 'T7' | 'T8', () => void>()
  #state: 'idle' | 'taken' | 'revoking' = 'idle'
  #burst: Burst<Id> | undefined
  /** Why the burst is revoked. */
  #reason: number = revocations.tooLong

  constructor(needs: FloorNeeds<Id>) {
    this.#needs = needs
  }

  get holder(): Id | undefined {
    return this.#burst?.holder
  }

  /** A participant comes in, or agrees on something else; it hears what the floor is. */
  join(id: Id, member: Member): void {
    const known = this.#members.has(id)
    this.#members.set(id, member)
    if (!known) this.#needs.permit(id, false)
    if (!member.queueing) this.#queue.remove(id)
    // Its first idle may come before it has the answer that says what this is about.
    if (this.#state === 'idle') this.#tellIdle()
    else if (this.holder !== id) this.#tellTaken(id)
  }

  leave(id: Id): void {
    this.#members.delete(id)
    this.#sources.delete(id)
    this.#penalties.delete(id)
    this.#queue.remove(id)
    this.#forget(id)
    if (this.holder === id) this.#free()
  }

  /** The session is over. */
  close(): void {
    this.#members.clear()
    this.#burst = undefined
    this.#stopAll()
    for (const id of this.#reminders.keys()) this.#forget(id)
  }

  handle(from: Id, message: TalkBurst): void {
    const member = this.#members.get(from)
    if (member === undefined) return
    this.#sources.set(from, message.ssrc)
    switch (message.type) {
      case 'request':
        this.#requested(from, member, Math.min(message.priority ?? normal, member.priority))
        return
      case 'release':
        this.#released(from)
        return
      case 'queue-status-request':
        this.#tellPosition(from)
        return
      default: // an acknowledgement, or what only a server sends
    }
  }

  #requested(id: Id, member: Member, priority: number): void {
    if (this.holder === id) this.#requestedAgain(id)
    else if (this.#members.size === 1) this.#deny(id, denials.alone, 'nobody else is here')
    else if (this.#isPenalised(id)) this.#deny(id, denials.retryAfter, 'talked too long')
    else if (this.#state === 'idle') this.#grant(id, priority)
    else if (priority >= preemptive && priority > (this.#burst?.priority ?? normal)) this.#preempt(id, priority)
    else if (member.queueing) this.#enqueue(id, priority)
    else this.#deny(id, denials.taken, 'somebody else speaks')
  }

  /** What was said to the holder has been lost: its timer T11 has run out. */
  #requestedAgain(id: Id): void {
    if (this.#state === 'taken') this.#tellGranted(id)
    else this.#tellRevoked(id, this.#reason)
  }

  #released(id: Id): void {
    if (this.holder === id) this.#free()
    else {
      this.#queue.remove(id)
      this.#tellState(id)
    }
  }

  #enqueue(id: Id, priority: number): void {
    this.#queue.add(id, priority)
    for (const waiting of this.#queue) if (waiting !== id) this.#tellPosition(waiting)
    this.#tellPosition(id)
  }

  #preempt(id: Id, priority: number): void {
    this.#queue.add(id, priority)
    if (this.#members.get(id)?.queueing) this.#tellPosition(id)
    if (this.#state === 'taken') this.#revoke(revocations.preempted)
  }

  #grant(id: Id, priority: number): void {
    const { clock, timers, permit } = this.#needs
    this.#stopAll()
    this.#state = 'taken'
    this.#burst = { holder: id, priority, since: clock.now() }
    permit(id, true)
    this.#tellGranted(id)
    for (const other of this.#members.keys()) if (other !== id) this.#tellTaken(other)
    this.#start('T2', timers.stopTalking, () => this.#revoke(revocations.tooLong))
    this.#start('T1', timers.endOfRtp, () => this.#checkRtp())
  }

  /** T1 runs from the last packet, or from the grant. */
  #checkRtp(): void {
    const { clock, timers, heardAt } = this.#needs
    const burst = this.#burst
    if (burst === undefined) return
    const heard = heardAt(burst.holder)
    if (heard === undefined) return
    const left = Math.max(heard, burst.since) + timers.endOfRtp - clock.now()
    if (left <= 0) this.#free()
    else this.#start('T1', left, () => this.#checkRtp())
  }

  /** The speaker is told to stop, and goes on being told until it does, or T3 ends its burst. */
  #revoke(reason: number): void {
    const holder = this.holder
    if (holder === undefined) return
    this.#state = 'revoking'
    this.#reason = reason
    this.#stop('T2')
    this.#tellRevoked(holder, reason)
    this.#repeatRevoke(holder)
    this.#start('T3', this.#needs.timers.grace, () => {
      this.#free()
      this.#remind(holder)
    })
  }

  #repeatRevoke(holder: Id): void {
    this.#start('T8', this.#needs.timers.revoke, () => {
      this.#tellRevoked(holder, this.#reason)
      this.#repeatRevoke(holder)
    })
  }

  /** U: not permitted but sends media: who goes on after T3 is told so until it stops. */
  #remind(id: Id): void {
    const { clock, timers, heardAt } = this.#needs
    this.#forget(id)
    const cancel = clock.after(timers.revoke, () => {
      this.#reminders.delete(id)
      const goesOn = (heardAt(id) ?? 0) > clock.now() - timers.revoke
      if (!goesOn || this.holder === id) return
      this.#tellRevoked(id, revocations.noPermission)
      this.#remind(id)
    })
    this.#reminders.set(id, cancel)
  }

  #forget(id: Id): void {
    this.#reminders.get(id)?.()
    this.#reminders.delete(id)
  }

  /** The burst is over: the floor goes to who waits for it, or to nobody. */
  #free(): void {
    const { clock, timers, permit } = this.#needs
    const burst = this.#burst
    this.#stopAll()
    this.#burst = undefined
    if (burst !== undefined && this.#members.has(burst.holder)) {
      permit(burst.holder, false)
      const tooLong = this.#state === 'revoking' && this.#reason === revocations.tooLong
      if (tooLong) this.#penalties.set(burst.holder, clock.now() + timers.retryAfter)
    }
    this.#state = 'idle'
    const next = this.#queue.next()
    if (next === undefined) this.#tellIdle()
    else {
      this.#grant(next.who, next.priority)
      for (const waiting of this.#queue) this.#tellPosition(waiting)
    }
  }

  #isPenalised(id: Id): boolean {
    const until = this.#penalties.get(id)
    if (until === undefined) return false
    if (until > this.#needs.clock.now()) return true
    this.#penalties.delete(id)
    return false
  }

  /** T7: that it is lost on the way to somebody who would speak should not matter. */
  #tellIdle(wait = this.#needs.timers.idle, times = this.#needs.timers.idleTimes): void {
    for (const id of this.#members.keys()) this.#needs.send(id, { type: 'idle' })
    if (times > 1) this.#start('T7', wait, () => this.#tellIdle(2 * wait, times - 1))
  }

  #tellState(id: Id): void {
    if (this.#burst === undefined) this.#needs.send(id, { type: 'idle' })
    else this.#tellTaken(id)
  }

  /** With what is left of its time. */
  #tellGranted(id: Id): void {
    const { clock, timers, send } = this.#needs
    const left = (this.#burst?.since ?? clock.now()) + timers.stopTalking - clock.now()
    const stopTalking = Math.min(Math.max(1, Math.ceil(left / 1_000)), unlimited - 1)
    send(id, { type: 'granted', stopTalking, participants: this.#members.size })
  }

  #tellTaken(id: Id): void {
    const holder = this.holder
    const speaker = holder === undefined ? undefined : this.#members.get(holder)
    if (holder === undefined || speaker === undefined) return
    const { uri, name } = speaker
    const ssrc = this.#sources.get(holder) ?? 0
    const participants = this.#members.size
    this.#needs.send(id, { type: 'taken', speaker: ssrc, uri, name, participants, acknowledge: false })
  }

  #tellRevoked(id: Id, reason: number): void {
    const tooLong = reason === revocations.tooLong
    const retryAfter = tooLong ? Math.ceil(this.#needs.timers.retryAfter / 1_000) : 0
    this.#needs.send(id, { type: 'revoke', reason, retryAfter })
  }

  /** One that does not wait has no position. */
  #tellPosition(id: Id): void {
    const priority = this.#queue.priorityOf(id) ?? this.#members.get(id)?.priority ?? normal
    const position = this.#queue.positionOf(id) ?? unlimited
    if (this.#members.get(id)?.queueing) this.#needs.send(id, { type: 'queue-status-response', priority, position })
  }

  #deny(id: Id, reason: number, phrase: string): void {
    this.#needs.send(id, { type: 'deny', reason, phrase })
  }

  #start(name: 'T1' | 'T2' | 'T3' | 'T7' | 'T8', ms: number, run: () => void): void {
    this.#stop(name)
    const cancel = this.#needs.clock.after(ms, () => {
      this.#timers.delete(name)
      run()
    })
    this.#timers.set(name, cancel)
  }

  #stop(name: 'T1' | 'T2' | 'T3' | 'T7' | 'T8'): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }

  #stopAll(): void {
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }
}
