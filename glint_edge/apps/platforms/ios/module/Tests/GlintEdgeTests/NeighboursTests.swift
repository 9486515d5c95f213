import Foundation
import XCTest

@testable import GlintEdge

/// What neighbours add to scores, and files that hold none.
final class NeighboursTests: XCTestCase {
  private let file = URL(fileURLWithPath: "/neighbours.bin")

  /// Of four rows: item 1 has the neighbours 2 and 3, item 3 has 1; c is 1.5, gamma 30.
  private var whole: Data {
    var bytes = Data("GENB".utf8)
    func put<T>(_ value: T) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
    for number: UInt32 in [1, 4, 3, 2, 8] { put(number) }
    for number: Float in [0.7, 1.5, 30] { put(number) }
    for number: UInt32 in [0, 0, 0, 2, 2, 3] { put(number) }
    for scale: Float in [0, 0.5, 0, 0.125] { put(scale) }
    bytes.append(contentsOf: [9, 1, 255])
    for id: UInt16 in [2, 3, 1] { put(id) }
    return bytes
  }

  private func changed<T>(_ place: Int, _ value: T, in file: Data? = nil) -> Data {
    var bytes = file ?? whole
    withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + $0.count, with: $0) }
    return bytes
  }

  func testTheLastItemsNeighboursRise() throws {
    let neighbours = try Neighbours(whole, items: 5, file)
    func check(_ history: [Int], _ id: Int, _ nearness: Double, _ because: Int) throws {
      let pull = try XCTUnwrap(neighbours.pulls(history)[id])
      XCTAssertEqual(Double(pull.rise), 1.5 * log1p(30 * nearness), accuracy: 1e-5)
      XCTAssertEqual(pull.because, because)
    }
    for history in [[], [2, 4, 5, 2], [1] + Array(repeating: 2, count: 8)] {
      XCTAssertEqual(neighbours.pulls(history), [:])
    }
    try check([1], 2, 4.5, 1)
    try check([1], 3, 0.5, 1)
    try check([3, 1], 2, 4.5 / 1.7, 1)
    XCTAssertEqual(neighbours.pulls([3, 1]).count, 1)  // none of these comes again
    try check([1, 3, 1], 2, 4.5 * 1.49 / 2.19, 1)
    try check([1, 5], 2, 0.7 * 4.5 / 1.7, 1)  // it has no row, and is a step
    XCTAssertEqual(neighbours.rounding, 1.5e-4 * log1p(30), accuracy: 1e-9)
    let itself = try Neighbours(changed(83, UInt16(3)), items: 5, file).pulls([3, 1])
    XCTAssertEqual(Set(itself.keys), [2, 3])
    let again = try XCTUnwrap(itself[3])
    XCTAssertEqual(Double(again.rise), 1.5 * log1p(30 * (0.7 * 31.875 + 0.5) / 1.7), accuracy: 1e-5)
    XCTAssertEqual(again.because, 3)
    // Nine items count in this one, all alike.
    let nine = try Neighbours(changed(24, Float(1), in: changed(20, UInt32(9))), items: 5, file)
    let pull = try XCTUnwrap(nine.pulls([1] + Array(repeating: 2, count: 8))[3])
    XCTAssertEqual(Double(pull.rise), 1.5 * log1p(30 * 0.5 / 9), accuracy: 1e-5)
  }

  func testWhatHoldsNoneIsRefused() {
    let inWords: [(Int, [UInt32])] = [
      (4, [0]), (8, [0, 1, 3, 5, .max]), (12, [2, 4, .max]), (16, [0, 1, 3, 4]), (20, [0, 65, .max]),
      (36, [1]), (40, [1]), (52, [1, 4]), (56, [0, 2, 4]),
    ]
    let inReals: [(Int, [Float])] = [
      (24, [0, -0.5, 1.5, .nan, .infinity]), (28, [-0.5, 10.5, .nan, .infinity]),
      (32, [0, -1, 2e6, .nan, .infinity]), (60, [-1, .nan, .infinity]), (64, [0, -0.5, .nan, .infinity]),
    ]
    let inIds: [(Int, [UInt16])] = [(79, [0, 3, 4, .max]), (81, [1, 2, 4])]
    var damaged: [Data] = [Data(), whole.prefix(39), whole.dropLast(), whole + Data([0])]
    damaged += [changed(3, UInt8(0)), changed(77, UInt8(0))]
    for (place, values) in inWords { damaged += values.map { changed(place, $0) } }
    for (place, values) in inReals { damaged += values.map { changed(place, $0) } }
    for (place, values) in inIds { damaged += values.map { changed(place, $0) } }
    for bytes in damaged {
      XCTAssertThrowsError(try Neighbours(Data(bytes), items: 3, file)) { error in
        XCTAssertEqual((error as? GlintError)?.code, .damaged)
      }
    }
    XCTAssertThrowsError(try Neighbours(changed(4, UInt32(2)), items: 3, file)) { error in
      XCTAssertEqual((error as? GlintError)?.code, .upgrade)
    }
  }

  func testAListSaysWhy() throws {
    let recommender = try loaded()
    let keys = recommender.items.prefix(3).map { $0.key }
    guard recommender.bundle.neighbours != nil else {
      XCTAssertThrowsError(try recommender.recommend(keys, neighbours: true))
      return
    }
    let list = try recommender.recommend(keys, recommender.topK)
    XCTAssertTrue(list.compactMap { $0.because }.allSatisfy { keys.contains($0) })
    let alone = try recommender.recommend(keys, recommender.topK, neighbours: false)
    XCTAssertTrue(alone.allSatisfy { $0.because == nil })
  }
}
