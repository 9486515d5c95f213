import Foundation
import XCTest

@testable import GlintEdge

/// On the device itself: the runtime computes what was exported, the engine to the last bit.
final class GoldenTests: XCTestCase {
  func testGoldenVectorsHold() throws {
    XCTAssertEqual(try loaded().replayGolden(), [])
  }

  func testASavedSessionGoesOn() throws {
    let recommender = try loaded()
    let keys = recommender.items.prefix(3).map { $0.key }
    let session = try recommender.start(keys)
    let resumed = try recommender.resume(session.save())
    XCTAssertEqual(resumed.history, keys)
    XCTAssertEqual(try resumed.top(recommender.topK), try session.top(recommender.topK))
  }

  func testAStateHoldsAQuarterMoreThanTheWindowAndBeginsAgain() throws {
    let recommender = try loaded()
    guard let window = recommender.bundle.window else { return }
    let keys = (0...2 * window).map { recommender.bundle.keys[1 + $0 % (recommender.bundle.keys.count - 1)] }
    let session = try recommender.start(Array(keys.prefix(window)))
    var held = window
    for (place, key) in keys.enumerated().dropFirst(window) {
      try session.append(key)
      held = held < recommender.bundle.mostHeld ? held + 1 : window
      let state = try SavedSession.unpack(
        session.save(), digest: recommender.bundle.manifest.digest, state: recommender.bundle.stateSize,
        items: recommender.bundle.keys.count - 1
      ).state
      XCTAssertEqual(state[0], Float(held))
      if held == window {
        XCTAssertEqual(state, try recommender.encode((0...place).map { 1 + $0 % (recommender.bundle.keys.count - 1) }))
      }
    }
  }

  func testUnknownKeysAreRefusedOrSkippedAndCounted() throws {
    XCTAssertThrowsError(try loaded().start(["unheard of"])) { error in
      XCTAssertEqual((error as? GlintError)?.code, .unknownItem)
    }
    let session = try loaded(unknown: .skip).start(["unheard of"])
    try session.append("neither")
    XCTAssertEqual(session.skipped, 2)
  }
}
