/** Stands for the device in the row of a message that its recipient is told of and fetches. No device has that name. */
export const toFetch = '*'

/** Whether a row says that nobody has accepted the message. */
export const isNobodys = (device: string): boolean => device === '' || device === toFetch
