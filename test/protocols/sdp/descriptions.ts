/** Session descriptions of the RFCs, and of clients; lines end with CRLF. */
const described = (text: string): string => `${text.trim().split('\n').join('\r\n')}\r\n`

/** RFC 8866 §5. */
export const rfc8866 = described(`
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
`)

/** RFC 4566 §5: a seminar by multicast. */
export const rfc4566 = described(`
v=0
o=jdoe 2890844526 2890842807 IN IP4 10.47.16.5
s=SDP Seminar
i=A Seminar on the session description protocol
u=http://www.example.com/seminars/sdp.pdf
e=j.doe@example.com (Jane Doe)
c=IN IP4 224.2.17.12/127
b=X-YZ:128
t=2873397496 2873404696
r=7d 1h 0 25h
z=2882844526 -1h 2898848070 0
k=prompt
a=recvonly
m=audio 49170/2 RTP/AVP 0
i=Sound
c=IN IP4 224.2.1.1/127/3
c=IN IP6 ff15::101/3
b=AS:64
k=clear:secret
m=video 51372 RTP/AVP 99
a=rtpmap:99 h263-1998/90000
`)

/** RFC 3264 §10.1: the offer. */
export const rfc3264 = described(`
v=0
o=alice 2890844526 2890844526 IN IP4 host.anywhere.com
s=-
c=IN IP4 host.anywhere.com
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
`)

/** RFC 3264 §10.1: the answer, which refuses the first video. */
export const rfc3264Answer = described(`
v=0
o=bob 2890844730 2890844730 IN IP4 host.example.com
s=-
c=IN IP4 host.example.com
t=0 0
m=audio 49920 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 0 RTP/AVP 31
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
`)

/** RFC 4975 §8.1, with the attributes of RFC 6135, RFC 6714 and RFC 8122. */
export const rfc4975 = described(`
v=0
o=alice 2890844526 2890844527 IN IP4 alice.example.com
s= -
c=IN IP4 alice.example.com
t=0 0
m=message 7394 TCP/TLS/MSRP *
a=accept-types:message/cpim text/html text/plain;charset="utf 8"
a=accept-wrapped-types:*
a=max-size:4096
a=path:msrps://relay.example.com:2855/kjh;tcp msrps://alice.example.com:7394/2s93i9ek2a;tcp
a=setup:actpass
a=connection:new
a=msrp-cema
a=fingerprint:SHA-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B
`)

/** RFC 5547 §9.1: a file pushed. */
export const rfc5547 = described(`
v=0
o=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com
s=-
c=IN IP4 host.atlanta.example.com
t=0 0
m=message 7654 TCP/MSRP *
i=This is my latest picture
a=sendonly
a=accept-types:message/cpim
a=accept-wrapped-types:*
a=path:msrp://atlanta.example.com:7654/jshA7we;tcp
a=file-selector:name:"My cool picture.jpg" type:image/jpeg size:32349 hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E
a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd
a=file-disposition:attachment
a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"
a=file-icon:cid:id2@alicepc.example.com
a=file-range:1-32349
`)

/** What a browser offers, in short. */
export const browser = described(`
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 198.51.100.7 50000 typ host generation 0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlZ+
a=fingerprint:sha-256 D1:2C:74:A7:E3:B5:11:04:BE:55
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:126 telephone-event/8000
a=ssrc:3735928559 cname:user
`)

/** OMA PoC: voice with floor control. */
export const pushToTalk = described(`
v=0
o=PoC-client 2890844526 2890842807 IN IP6 5555::aaa:bbb:ccc:ddd
s=-
c=IN IP6 5555::aaa:bbb:ccc:ddd
b=AS:30
t=0 0
m=audio 57787 RTP/AVP 97
a=rtpmap:97 AMR/8000
a=fmtp:97 mode-set=0,2,5,7
a=rtcp:57788
a=maxptime:400
m=application 57790 udp TBCP
a=fmtp:TBCP queuing=1; tb_priority=2; timestamp=1
`)

export const descriptions = [rfc8866, rfc4566, rfc3264, rfc3264Answer, rfc4975, rfc5547, browser, pushToTalk] as const
