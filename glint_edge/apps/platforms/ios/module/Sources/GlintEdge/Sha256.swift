import Foundation

/// SHA-256 of some bytes, in hexadecimal, as FIPS 180-4 has it. The same on every system, and without
/// CryptoKit, which Linux has not.
func sha256(_ data: Data) -> String {
  var hash: [UInt32] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  ]
  var words = [UInt32](repeating: 0, count: 64)
  let whole = data.count - data.count % 64
  data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
    for start in stride(from: 0, to: whole, by: 64) { mix(&hash, &words, bytes, start) }
  }
  // What is left, a bit, zeros, and the length in bits: one block, or two.
  var rest = [UInt8](data.suffix(data.count - whole))
  rest.append(0x80)
  while rest.count % 64 != 56 { rest.append(0) }
  let bits = UInt64(data.count) * 8
  for place in 0..<8 { rest.append(UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * place))) }
  rest.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
    for start in stride(from: 0, to: bytes.count, by: 64) { mix(&hash, &words, bytes, start) }
  }
  return hash.map { String(format: "%08x", $0) }.joined()
}

private let roundConstants: [UInt32] = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]

/// Take in the block of 64 bytes that begins at `start`; `words` is room for 64 of them.
private func mix(
  _ hash: inout [UInt32], _ words: inout [UInt32], _ bytes: UnsafeRawBufferPointer, _ start: Int
) {
  for place in 0..<16 {
    var word: UInt32 = 0
    for byte in 0..<4 { word = word << 8 | UInt32(bytes[start + 4 * place + byte]) }
    words[place] = word
  }
  for place in 16..<64 {
    let early = words[place - 15]
    let late = words[place - 2]
    let first = turned(early, 7) ^ turned(early, 18) ^ (early >> 3)
    let second = turned(late, 17) ^ turned(late, 19) ^ (late >> 10)
    words[place] = words[place - 16] &+ first &+ words[place - 7] &+ second
  }
  var (a, b, c, d) = (hash[0], hash[1], hash[2], hash[3])
  var (e, f, g, h) = (hash[4], hash[5], hash[6], hash[7])
  for place in 0..<64 {
    let choice = (e & f) ^ (~e & g)
    let sum = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
    let one = h &+ sum &+ choice &+ roundConstants[place] &+ words[place]
    let majority = (a & b) ^ (a & c) ^ (b & c)
    let two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) &+ majority
    (h, g, f, e) = (g, f, e, d &+ one)
    (d, c, b, a) = (c, b, a, one &+ two)
  }
  for (place, word) in [a, b, c, d, e, f, g, h].enumerated() { hash[place] = hash[place] &+ word }
}

/// To the right, around the end.
private func turned(_ word: UInt32, _ by: UInt32) -> UInt32 { word >> by | word << (32 - by) }
