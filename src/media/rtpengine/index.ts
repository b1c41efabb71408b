export { Rtpengine, type RtpengineNeeds } from './rtpengine.ts'
