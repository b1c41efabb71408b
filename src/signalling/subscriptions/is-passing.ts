import type { Failure } from '../../failure.ts'

/** It says nothing about who asked: the same may well succeed a little later. */
export const isPassing = ({ condition }: Failure): boolean =>
  condition === 'database-unavailable' || condition === 'overloaded'
