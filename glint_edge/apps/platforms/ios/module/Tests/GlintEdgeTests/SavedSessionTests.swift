import Foundation
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

  func testSha256() {
    let expected: [(Int, String)] = [
      (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (3, "b361d0f9a938a2bb4fbdc9c21dc5a859788041b0040919d8a811c1888184f4df"),
      (55, "576a1bf8d4478657e6dc4af9398544765c2a92cde28478b019235cfed315fc09"),
      (56, "9b20501dfd1d99161c257950f3444f3e49230c351c5c8e0943ef369f85f5205d"),
      (64, "d8bc63b4fc1156e5e7d95a418b9bf54cd3174bedbc2db40f74895349b229b3c0"),
      (1000, "89f4ff56a25dd1db06a4ce6033603775d705fb96f30f8693733fef602a1ca532"),
    ]
    for (count, digest) in expected {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
      XCTAssertEqual(sha256(Data(bytes)), digest)
      XCTAssertEqual(sha256(Data([1] + bytes).dropFirst()), digest)
    }
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
