import { Failure } from '../../../../failure.ts'

/** A point in the stream of changes of a mailbox. */
export interface Point {
  readonly epoch: string
  readonly modseq: number
}

const form = /^(0|[1-9a-z][0-9a-z]{0,10})-([0-9a-f]{32})$/

/**
 * A restartToken or a creationCursor (NMS §5.1.4.3, §5.1.5.2). It says nothing but how far its owner has come, so that
 * one that was made up does no harm.
 */
export function writePoint({ epoch, modseq }: Point): string {
  return `${modseq.toString(36)}-${epoch.replaceAll('-', '')}`
}

/** Throws `malformed`, naming the element. */
export function readPoint(text: string, element: string): Point {
  const [, modseq, epoch] = form.exec(text) ?? []
  const number = modseq === undefined ? Number.NaN : Number.parseInt(modseq, 36)
  if (epoch === undefined || !Number.isSafeInteger(number)) throw new Failure('malformed', element)
  return { modseq: number, epoch: epoch.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') }
}
