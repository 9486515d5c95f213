import XCTest

@testable import GlintEdge

/// The format that every platform shares; the bytes are what Python writes.
final class SavedSessionTests: XCTestCase {
  private let hex =
    "474c494e54534553" + "01000000" + "03000000"
    + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff" + "03000000"
    + "000000000000c03fbc7413bb" + "010000000201000070110100455c7098"
  private let saved = SavedSession(
    digest: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff",
    state: [0, 1.5, -2.25e-3], ids: [1, 258, 70000])

  private func unpack(_ bytes: Data, digest: String? = nil, state: Int = 3, items: Int = 70000) throws
    -> SavedSession
  {
    try SavedSession.unpack(bytes, digest: digest ?? saved.digest, state: state, items: items)
  }

  private func code(_ call: @autoclosure () throws -> SavedSession) -> GlintError.Code? {
    do {
      _ = try call()
      return nil
    } catch {
      return (error as? GlintError)?.code
    }
  }

  func testTheBytesAreTheSameEverywhere() throws {
    let bytes = saved.pack()
    XCTAssertEqual(bytes.map { String(format: "%02x", $0) }.joined(), hex)
    XCTAssertEqual(try unpack(bytes), saved)
  }

  func testSha256IsTheSameWithoutCryptoKit() {
    for count in [0, 3, 55, 56, 63, 64, 65, 1000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
      let plain = plainSha256(bytes).map { String(format: "%02x", UInt32($0)) }.joined()
      XCTAssertEqual(plain, sha256(Data(bytes)))
    }
    let abc = plainSha256(Array("abc".utf8)).prefix(4)
    XCTAssertEqual(Array(abc), [0xba, 0x78, 0x16, 0xbf])
  }

  func testWhatAWindowHasPassedIsKeptOnce() {
    let ids = [1, 2, 1, 3, 4, 2, 5, 6, 5]
    XCTAssertEqual(idsToSave(ids, window: 3), [1, 3, 4, 2, 5, 6, 5])
    XCTAssertEqual(idsToSave(ids, window: 2), [1, 3, 4, 2, 6, 5])
    for window in [9, 10, nil] { XCTAssertEqual(idsToSave(ids, window: window), ids) }
  }

  func testWhatIsNotThisModelsIsRefused() {
    let bytes = saved.pack()
    XCTAssertEqual(code(try unpack(bytes, digest: String(repeating: "f", count: 64))), .otherModel)
    XCTAssertEqual(code(try unpack(bytes, state: 4)), .damaged)
    XCTAssertEqual(code(try unpack(bytes, items: 69999)), .damaged)
    let noNumber = SavedSession(digest: saved.digest, state: [0, .nan, 1], ids: saved.ids)
    XCTAssertEqual(code(try unpack(noNumber.pack())), .damaged)
    for place in bytes.indices {
      var flipped = bytes
      flipped[place] ^= 1
      XCTAssertNotNil(code(try unpack(flipped)), "\(place)")
      XCTAssertNotNil(code(try unpack(bytes.prefix(place))), "\(place)")
    }
  }
}
