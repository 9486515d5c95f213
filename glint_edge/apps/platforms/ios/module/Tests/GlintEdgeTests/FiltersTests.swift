import Foundation
import XCTest

@testable import GlintEdge

/// What filters let through, of an artifact that is a table of scores.
final class FiltersTests: XCTestCase {
  // Items k1 to k9, the first the best; all have a kind, each third a brand.
  private let keys = [""] + (1...9).map { "k\($0)" }
  private var index: FilterIndex { FilterIndex(keys, fields, rows: 12, topK: 2) }
  private var fields: [String: [String: String]] {
    var kinds: [String: String] = [:]
    for id in 1...9 { kinds["k\(id)"] = id % 2 == 0 ? "even" : "odd" }
    return ["kind": kinds, "brand": ["k3": "A", "k6": "B", "k9": "A"], "none": ["nobody's": "x"]]
  }

  private func artifact(_ bias: [Float]?) -> TopK {
    let scores: [(Int, Float)] = (1...9).map { id in
      let added: Float = bias.map { $0[id] } ?? 0
      return (id, Float(10 - id) + added)
    }
    let best = scores.sorted { $0.1 > $1.1 }.prefix(2).filter { $0.1 >= nothingLeft }
    return TopK(ids: best.map { $0.0 }, scores: best.map { $0.1 })
  }

  private func list(_ k: Int, _ filters: Filters = Filters(), without: [Int] = []) throws -> [Int] {
    try index.best(k, filters, without: without) { artifact($0) }.ids
  }

  func testEveryWord() throws {
    XCTAssertEqual(try list(2), [1, 2])
    XCTAssertEqual(try list(99), Array(1...9))
    XCTAssertEqual(try list(3, Filters(without: ["k2", "newer"]), without: [1]), [3, 4, 5])
    XCTAssertEqual(try list(3, Filters(among: ["k8", "newer", "k4"])), [4, 8])
    XCTAssertEqual(try list(3, Filters(among: [])), [])
    XCTAssertEqual(try list(9, Filters(where: ["kind": ["even"], "brand": ["A", "B"]])), [6])
    XCTAssertEqual(try list(9, Filters(where: ["kind": ["no value"]])), [])
    XCTAssertEqual(try list(2, Filters(boost: ["k9": 8.5, "newer": 1])), [9, 1])
    XCTAssertEqual(try list(4, Filters(mostPer: ["kind": 2])), [1, 2, 3, 4])
    XCTAssertEqual(try list(9, Filters(mostPer: ["brand": 1])), [1, 2, 3, 4, 5, 6, 7, 8])
  }

  func testWhatCannotBeMeantIsRefused() {
    let refused: [Filters] = [
      Filters(where: ["colour": []]), Filters(mostPer: ["none": 1]), Filters(mostPer: ["kind": 0]),
      Filters(boost: ["k1": 1e7]), Filters(boost: ["k1": .nan]),
    ]
    for filters in refused {
      XCTAssertThrowsError(try list(1, filters)) { XCTAssertEqual(($0 as? GlintError)?.code, .argument) }
    }
    XCTAssertThrowsError(try list(0))
    XCTAssertThrowsError(try list(1, Filters(where: ["colour": []]))) { error in
      let said = "no item has the field 'colour'; the fields are brand, kind"
      XCTAssertEqual((error as? GlintError)?.message, said)
    }
  }
}
