import Foundation

/// golden.json, by its own names.
private struct Golden: Decodable {
  let tolerance: Tolerance
  let cases: [Case]
  let lists: [GoldenList]
  let similar: [GoldenList]

  struct Tolerance: Decodable {
    let relative_state_error: Double
    let score_error: Double
    let cosine_error: Double
  }

  struct Case: Decodable {
    let history: [Int]
    let state_sum: Double
    let state_norm: Double
    let items: [Int]
    let scores: [Double]
    /// What the engine gives on every machine; nil: the bundle has no file of its.
    let exact: Exact?
  }

  struct Exact: Decodable {
    /// Of the state's bytes, little endian: 32-bit FNV-1a in hexadecimal.
    let state: String
    let items: [Int]
    let scores: [Double]
  }

  /// Whether all is in bounds, and of this model.
  func isSound(for manifest: Manifest) -> Bool {
    let count = manifest.model.items
    guard (0.0...1.0).contains(tolerance.relative_state_error), tolerance.score_error >= 0,
      tolerance.cosine_error >= 0, !cases.isEmpty,
      lists.allSatisfy({ $0.isSound(count, isSimilar: false) }),
      similar.allSatisfy({ $0.isSound(count, isSimilar: true) })
    else { return false }
    for one in cases {
      guard one.state_norm >= 0, one.items.count == manifest.top_k, one.scores.count == manifest.top_k,
        one.history.allSatisfy({ (0...count).contains($0) }),
        one.items.allSatisfy({ (1...count).contains($0) })
      else { return false }
    }
    return true
  }

  /// What a state after a case's history, and its list, have wrong.
  func errors(_ expected: Case, _ state: [Float], _ list: TopK) -> [String] {
    stateErrors(expected, tolerance, state) + listErrors(expected, tolerance, list)
  }
}

extension Recommender {
  /// Replay golden.json, item by item by `append` and at once by `append_many`, and its lists with
  /// filters: does this device compute what was exported.
  ///
  /// - Returns: one sentence for each case that differs beyond the file's own tolerance.
  public func replayGolden() throws -> [String] {
    let golden = try readGolden()
    var failures: [String] = []
    for (number, expected) in golden.cases.enumerated() {
      var state = empty
      for (place, id) in expected.history.enumerated() {
        state = try step(state, Array(expected.history.prefix(place)), id)
      }
      for (method, endState) in [("append", state), ("append_many", try encode(expected.history))] {
        let list = try ranked(endState)
        let wrong =
          golden.errors(expected, endState, list) + (engine.isExact ? otherBits(expected, endState, list) : [])
        if !wrong.isEmpty {
          failures.append("by \(method), golden case \(number): \(wrong.joined(separator: ", and "))")
        }
      }
    }
    return failures + (try replayLists(golden))
  }

  private func replayLists(_ golden: Golden) throws -> [String] {
    try (golden.lists + golden.similar).enumerated().compactMap { number, expected in
      let isPulled = expected.neighbours ?? false
      if isPulled && bundle.neighbours == nil { return nil }  // an app's part of a bundle may lack the file
      let list: [Recommendation]
      if let item = expected.item {
        list = try similar(bundle.keys[item], expected.k, expected.filter.filters)
      } else {
        let session = try start((expected.history ?? []).map { bundle.keys[$0] })
        list = try session.top(expected.k, expected.filter.excludeSeen, expected.filter.filters, isPulled)
      }
      let rounding = isPulled ? bundle.neighbours?.rounding ?? 0 : 0
      let tolerance =
        expected.item == nil ? golden.tolerance.score_error + rounding : golden.tolerance.cosine_error
      let ids = try list.compactMap { try id(of: $0.key) }
      let wrong = expected.errors(ids, list.map(\.score), tolerance)
      return wrong.isEmpty ? nil : "golden list \(number): \(wrong.joined(separator: ", and "))"
    }
  }

  /// Run the longest golden case that no window cuts, once, by each of the three methods: what a load
  /// can afford. It also sets up in the runtime what later calls use.
  ///
  /// - Throws: `GlintError` `.damaged`: it gives anything else.
  func requireGolden() throws {
    let golden = try readGolden()
    let longest = bundle.manifest.model.max_length
    var number = -1
    for (place, one) in golden.cases.enumerated() where one.history.count <= longest {
      if number < 0 || one.history.count > golden.cases[number].history.count { number = place }
    }
    guard number >= 0 else { return }
    let expected = golden.cases[number]
    let before = Array(expected.history.dropLast())
    var state = try encode(before)
    if let last = expected.history.last { state = try step(state, before, last) }
    if let wrong = golden.errors(expected, state, try ranked(state)).first {
      throw GlintError(
        .damaged,
        "\(bundle.folder.path) does not compute what was exported (golden case \(number): \(wrong)); "
          + "copy the bundle again")
    }
  }

  private func readGolden() throws -> Golden {
    let file = bundle.folder.appendingPathComponent("golden.json")
    let golden = try AppBundle.decode(
      Golden.self, try AppBundle.checked(bundle.folder, bundle.manifest, "golden.json"), file)
    try AppBundle.require(golden.isSound(for: bundle.manifest), file)
    return golden
  }
}

/// What is not the same to the last bit; for the engine.
private func otherBits(_ expected: Golden.Case, _ state: [Float], _ list: TopK) -> [String] {
  guard let exact = expected.exact else { return [] }
  var errors: [String] = []
  if hashOf(state) != exact.state { errors.append("the state's hash is \(hashOf(state)), not \(exact.state)") }
  if list.ids != exact.items { errors.append("its items are not, one for one, those of elsewhere") }
  if list.scores != exact.scores.map({ Float($0) }) {
    errors.append("its scores are not, bit for bit, those of elsewhere")
  }
  return errors
}

private func hashOf(_ state: [Float]) -> String {
  var hash: UInt32 = 0x811c_9dc5
  for value in state {
    for byte in 0..<4 {
      let next = value.bitPattern >> UInt32(8 * byte) & 0xff
      hash = (hash ^ next) &* 0x0100_0193
    }
  }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 8 - digits.count) + digits
}

private func stateErrors(_ expected: Golden.Case, _ tolerance: Golden.Tolerance, _ state: [Float]) -> [String] {
  var sum = 0.0
  var squares = 0.0
  for value in state {
    sum += Double(value)
    squares += Double(value) * Double(value)
  }
  let allowed = tolerance.relative_state_error * expected.state_norm
  let figures: [(name: String, value: Double, wanted: Double)] = [
    ("state_sum", sum, expected.state_sum),
    ("state_norm", squares.squareRoot(), expected.state_norm),
  ]
  var errors: [String] = []
  for one in figures where !(abs(one.value - one.wanted) <= allowed) {  // so that NaN is wrong
    errors.append("\(one.name) is \(one.value), not \(one.wanted)")
  }
  return errors
}

private func listErrors(_ expected: Golden.Case, _ tolerance: Golden.Tolerance, _ list: TopK) -> [String] {
  guard list.ids.count == expected.items.count else {
    return ["it recommends \(list.ids.count) items, not \(expected.items.count)"]
  }
  // Items whose scores differ by no more than the tolerance may swap, and one from beyond the list
  // may come in where the score is that near to the last. Without a history nothing is computed,
  // and the order is exact.
  func mayStand(_ id: Int, _ place: Int) -> Bool {
    let other = expected.scores[expected.items.firstIndex(of: id) ?? expected.items.count - 1]
    let near = abs(expected.scores[place] - other) <= tolerance.score_error
    return id == expected.items[place] || (!expected.history.isEmpty && near)
  }
  var errors: [String] = []
  for (place, id) in list.ids.enumerated() {
    let score = Double(list.scores[place])
    if !(abs(score - expected.scores[place]) <= tolerance.score_error) {
      errors.append("the score in place \(place + 1) is \(score), not \(expected.scores[place])")
    }
    if list.ids.firstIndex(of: id) != place {
      errors.append("item \(id) is in the list twice")
    } else if !mayStand(id, place) {
      errors.append("item \(id) in place \(place + 1) should be \(expected.items[place])")
    }
  }
  return errors
}
