/**
 * A histogram whose `observe` costs nanoseconds: no label object, no hash, nothing allocated. prom-client's takes ten
 * times as long, on the path of every message; its text format is the same.
 */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0

  /** @param bounds upper bounds in rising order; the one at infinity comes by itself */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] as number)) at++
    this.#counts[at] = (this.#counts[at] as number) + 1
    this.#sum += value
  }

  /** The lines of this child; `labels` such as `method="MESSAGE"`, or none. */
  toText(name: string, labels = ''): string {
    const [before, all] = labels === '' ? ['', ''] : [`${labels},`, `{${labels}}`]
    let text = ''
    let below = 0
    for (let at = 0; at <= this.#bounds.length; at++) {
      below += this.#counts[at] as number
      text += `${name}_bucket{${before}le="${this.#bounds[at] ?? '+Inf'}"} ${below}\n`
    }
    return `${text}${name}_sum${all} ${this.#sum}\n${name}_count${all} ${below}\n`
  }
}
