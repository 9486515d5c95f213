import Foundation

/// What is kept of a history: of a window its last items and, before them, each item that was seen
/// earlier and is not among them, once, in the order of their last times.
func idsToSave(_ ids: [Int], window: Int?) -> [Int] {
  let last = ids.suffix(window ?? ids.count)
  var seen = Set(last)
  let before = ids.dropLast(last.count).reversed().filter { seen.insert($0).inserted }
  return Array(before.reversed()) + Array(last)
}

/// A saved session: the same bytes on every platform, little endian.
struct SavedSession: Equatable {
  let digest: String
  let state: [Float]
  let ids: [Int]

  private static let magic = Array("GLINTSES".utf8)
  private static let version: UInt32 = 1
  private static let head = 52  // magic, version, items, digest, floats

  func pack() -> Data {
    var bytes = Data(Self.magic)
    func put(_ word: UInt32) { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
    put(Self.version)
    put(UInt32(ids.count))
    bytes.append(contentsOf: Self.bytes(ofHex: digest))
    put(UInt32(state.count))
    state.forEach { put($0.bitPattern) }
    ids.forEach { put(UInt32($0)) }
    put(crc32(bytes))
    return bytes
  }

  /// Inverse of `pack`, for one model; `items` is the largest id.
  static func unpack(_ saved: Data, digest: String, state: Int, items: Int) throws -> SavedSession {
    let bytes = [UInt8](saved)
    func word(_ place: Int) -> UInt32 {
      var word: UInt32 = 0
      for byte in bytes[place..<place + 4].reversed() { word = word << 8 | UInt32(byte) }
      return word
    }
    func broken(_ reason: String) -> GlintError {
      GlintError(.damaged, "the saved session is damaged (\(reason)); start again from the history")
    }
    guard bytes.count >= head + 4, Array(bytes.prefix(magic.count)) == magic else {
      throw broken("it is no saved session, or its end is missing")
    }
    guard word(8) == version else {
      throw GlintError(
        .upgrade,
        "the saved session has format version \(word(8)), this app reads \(version); "
          + "upgrade the app, or start again from the history")
    }
    guard word(bytes.count - 4) == crc32(saved.dropLast(4)) else {
      throw broken("its checksum does not match")
    }
    guard Array(bytes[16..<48]) == Self.bytes(ofHex: digest) else {
      throw GlintError(.otherModel, "the saved session is of another model; start again from the history")
    }
    let count = Int(word(12))
    let floats = Int(word(48))
    guard floats == state, bytes.count == head + 4 * (floats + count + 1) else {
      throw broken("its sizes are not those of this model")
    }
    let session = SavedSession(
      digest: digest,
      state: (0..<floats).map { Float(bitPattern: word(head + 4 * $0)) },
      ids: (0..<count).map { Int(word(head + 4 * (floats + $0))) })
    if let foreign = session.ids.first(where: { !(1...items).contains($0) }) {
      throw broken("item \(foreign) is not in the catalogue")
    }
    guard session.state.allSatisfy(\.isFinite) else { throw broken("its state is not made of numbers") }
    return session
  }

  private static func bytes(ofHex text: String) -> [UInt8] {
    let digits = text.compactMap { $0.hexDigitValue }.map { UInt8($0) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

/// zlib's CRC-32.
func crc32(_ data: Data) -> UInt32 {
  var sum = ~UInt32(0)
  for byte in data {
    sum ^= UInt32(byte)
    for _ in 0..<8 {
      let isOdd = sum & 1 == 1
      sum >>= 1
      if isOdd { sum ^= 0xEDB8_8320 }
    }
  }
  return ~sum
}
