/** What a timer wakes. The name is the specification's: 'E', 'F', 'J' … */
export interface TimerTarget<Name extends string> {
  onTimer(name: Name): void
}

/** A place in the wheel, and the means to leave it. */
export interface Timer {
  readonly due: number
}

const tickMs = 10
const slotCount = 4096
const mask = slotCount - 1
/** The wheel looks this far ahead for its next work, so that it turns twice a second at the least while it holds any. */
const furthestLook = 50

class Entry implements Timer {
  previous: Entry
  next: Entry
  readonly target: TimerTarget<string> | undefined
  readonly name: string
  /** In ticks. */
  readonly due: number
  constructor(target: TimerTarget<string> | undefined, name: string, due: number) {
    this.previous = this
    this.next = this
    this.target = target
    this.name = name
    this.due = due
  }
}

/**
 * All timers of the stack: a hashed wheel of 10 ms ticks over about 41 s, longer ones going round more than once. Setting
 * and cancelling cost the same however many there are, and the event loop holds one timer, while something is set.
 * A timer never fires early. It does not keep the process alive.
 */
export class TimerWheel {
  readonly #clock: () => number
  readonly #origin: number
  readonly #slots: Entry[] = []
  readonly #due = new Entry(undefined, '', 0)
  readonly #onAlarm = () => this.turn()
  #turned = 0
  #size = 0
  #alarm: NodeJS.Timeout | undefined
  #alarmAt = Number.POSITIVE_INFINITY
  #turning = false

  /** `now` is a clock in milliseconds that does not jump. */
  constructor(now: () => number) {
    this.#clock = now
    this.#origin = now()
    for (let at = 0; at < slotCount; at++) this.#slots.push(new Entry(undefined, '', 0))
  }

  /** How many timers are set. */
  get size(): number {
    return this.#size
  }

  /** Calls `target.onTimer(name)` once, in `ms` or up to a tick later. */
  set<Name extends string>(ms: number, target: TimerTarget<Name>, name: Name): Timer {
    if (this.#size === 0 && !this.#turning) this.#turned = Math.floor(this.now() / tickMs)
    const due = Math.max(Math.ceil((this.now() + ms) / tickMs), this.#turned + 1)
    const entry = new Entry(target, name, due)
    link(this.#slots[due & mask] as Entry, entry)
    this.#size++
    if (due < this.#alarmAt && !this.#turning) this.#wakeAt(due)
    return entry
  }

  /** Forgets a timer; one that has fired, or was cancelled before, is no matter. */
  cancel(timer: Timer | undefined): void {
    if (timer === undefined) return
    const entry = timer as Entry
    if (entry.next === entry) return
    unlink(entry)
    this.#size--
  }

  /** Fires what is due. The wheel calls this itself; a test with a clock of its own may as well. */
  turn(): void {
    this.#alarm = undefined
    this.#alarmAt = Number.POSITIVE_INFINITY
    const until = Math.floor(this.now() / tickMs)
    this.#turning = true
    try {
      this.#turnTo(until)
    } finally {
      this.#turning = false
      if (this.#size > 0) this.#wakeAt(this.#nextWork())
    }
  }

  /** Forgets all. */
  close(): void {
    clearTimeout(this.#alarm)
    this.#alarm = undefined
    this.#alarmAt = Number.POSITIVE_INFINITY
    for (const slot of this.#slots) while (slot.next !== slot) unlink(slot.next)
    while (this.#due.next !== this.#due) unlink(this.#due.next)
    this.#size = 0
  }

  /** From the start of the wheel, so that ticks stay small integers. */
  /** Milliseconds since the wheel was made. */
  now(): number {
    return this.#clock() - this.#origin
  }

  #turnTo(until: number): void {
    // After a long pause every slot is looked at once, not once for each round.
    let tick = Math.max(this.#turned, until - slotCount)
    while (tick < until) this.#collect(this.#slots[++tick & mask] as Entry, until)
    this.#turned = Math.max(this.#turned, until)
    for (let entry = this.#due.next; entry !== this.#due; entry = this.#due.next) {
      unlink(entry)
      this.#size--
      entry.target?.onTimer(entry.name)
    }
  }

  #collect(slot: Entry, until: number): void {
    for (let entry = slot.next; entry !== slot; ) {
      const next = entry.next
      if (entry.due <= until) {
        unlink(entry)
        link(this.#due, entry)
      }
      entry = next
    }
  }

  #nextWork(): number {
    if (this.#due.next !== this.#due) return this.#turned
    for (let ahead = 1; ahead < furthestLook; ahead++) {
      const slot = this.#slots[(this.#turned + ahead) & mask] as Entry
      if (slot.next !== slot) return this.#turned + ahead
    }
    return this.#turned + furthestLook
  }

  #wakeAt(tick: number): void {
    clearTimeout(this.#alarm)
    this.#alarmAt = tick
    this.#alarm = setTimeout(this.#onAlarm, Math.max(1, Math.ceil(tick * tickMs - this.now())))
    this.#alarm.unref()
  }
}

/** Puts `entry` at the end of the ring that `head` begins. */
function link(head: Entry, entry: Entry): void {
  entry.previous = head.previous
  entry.next = head
  head.previous.next = entry
  head.previous = entry
}

function unlink(entry: Entry): void {
  entry.previous.next = entry.next
  entry.next.previous = entry.previous
  entry.previous = entry
  entry.next = entry
}
