/** There is no drachtio-server, or it lets nobody in. */
export class DaemonUnavailable extends Error {}
