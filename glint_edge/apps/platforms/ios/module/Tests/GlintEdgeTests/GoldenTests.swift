import XCTest

@testable import GlintEdge

/// On the device itself: the runtime computes what was exported.
final class GoldenTests: XCTestCase {
  func testGoldenVectorsHold() throws {
    XCTAssertEqual(try Recommender.load().replayGolden(), [])
  }

  func testASavedSessionGoesOn() throws {
    let recommender = try Recommender.load()
    let keys = recommender.items.prefix(3).map(\.key)
    let session = try recommender.start(keys)
    let resumed = try recommender.resume(session.save())
    XCTAssertEqual(resumed.history, keys)
    XCTAssertEqual(try resumed.top(recommender.topK), try session.top(recommender.topK))
  }

  func testUnknownKeysAreRefusedOrSkippedAndCounted() throws {
    XCTAssertThrowsError(try Recommender.load().start(["unheard of"])) { error in
      XCTAssertEqual((error as? GlintError)?.code, .unknownItem)
    }
    let session = try Recommender.load(unknown: .skip).start(["unheard of"])
    try session.append("neither")
    XCTAssertEqual(session.skipped, 2)
  }
}
