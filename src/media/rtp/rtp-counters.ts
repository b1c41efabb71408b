/** What passed and what did not, of all relays together. */
export class RtpCounters {
  rtpPackets = 0
  rtpBytes = 0
  rtcpPackets = 0
  /** From a source that the socket is not latched to. */
  strangers = 0
  /** Neither RTP nor RTCP, nor what else may pass. */
  malformed = 0
  /** The other party's address is not known, or it does not take packets as fast as they come. */
  undeliverable = 0
  /** Beyond the packets a second that one party may send. */
  tooMany = 0
  /** Of one that does not have the floor. */
  muted = 0
  /** Lines of which a party went silent that said it sends. */
  silences = 0
}
