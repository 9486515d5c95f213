import Foundation

// Filters as numbers that the artifact adds to its scores, and the lists that this gives.

/// Leaves a row out, whatever its score and whatever else is added.
let leftOut: Float = -1e30
/// A score below it is of a row that is left out.
let nothingLeft: Float = -1e29
let mostBoost = 1e6

/// Which items a list may have, in the words of `Session.top`.
struct Filters {
  var without: [String] = []
  var among: [String]?
  var `where`: [String: [String]] = [:]
  var boost: [String: Double] = [:]
  var mostPer: [String: Int] = [:]
}

/// A catalogue by key and by the values of its fields.
final class FilterIndex: Sendable {

  /// A field: of each value a number from 1, and of each item by id its value's; 0: it has none.
  struct Field: Sendable {
    /// In the order of the items that have them first.
    let values: [String]
    let numbers: [String: Int]
    let byId: [Int]

    init(_ valueOf: [String: String], _ keys: [String]) {
      var values: [String] = []
      var numbers: [String: Int] = [:]
      byId = keys.map { key in
        guard let value = valueOf[key] else { return 0 }
        if let number = numbers[value] { return number }
        values.append(value)
        numbers[value] = values.count
        return values.count
      }
      self.values = values
      self.numbers = numbers
    }
  }

  /// At most so many items of each value of a field.
  private struct Limit {
    let field: Field
    let most: Int
    var taken: [Int]

    init(_ field: Field, _ most: Int) {
      self.field = field
      self.most = most
      taken = Array(repeating: 0, count: field.values.count + 1)
    }

    func isFull(_ id: Int) -> Bool { field.byId[id] != 0 && taken[field.byId[id]] >= most }

    mutating func take(_ id: Int) { taken[field.byId[id]] += 1 }
  }

  private let rows: Int
  private let topK: Int
  private let count: Int
  private let ids: [String: Int]
  /// By name, those that some item has.
  let fields: [String: Field]

  /// - Parameters:
  ///   - keys: by id; the first is "", padding.
  ///   - fields: of each the value by key.
  ///   - rows: of the artifact's table.
  ///   - topK: the items that the artifact gives at once.
  init(_ keys: [String], _ fields: [String: [String: String]], rows: Int, topK: Int) {
    self.rows = rows
    self.topK = topK
    count = keys.count
    ids = Dictionary(keys.enumerated().dropFirst().map { ($1, $0) }) { first, _ in first }
    self.fields = fields.mapValues { Field($0, keys) }.filter { !$1.values.isEmpty }
  }

  /// nil: the key is not in the catalogue.
  func id(of key: String) -> Int? { ids[key] }

  /// The k best items that the filters let through; fewer only where no more are left.
  ///
  /// - Parameters:
  ///   - without: ids that are left out too.
  ///   - pulls: by id, what neighbours add to the scores.
  ///   - ask: gives the artifact's list for a bias, or for none; shorter than its own length where
  ///     no more items are left.
  /// - Throws: `GlintError` `.argument`: k is below 1, no item has a field, or a number is too large.
  func best(
    _ k: Int, _ filters: Filters, without: [Int], pulls: [Int: Pull] = [:], _ ask: ([Float]?) throws -> TopK
  ) throws -> TopK {
    guard k >= 1 else { throw GlintError(.argument, "k is at least 1, not \(k)") }
    var limits = try self.limits(of: filters)
    var bias = try self.bias(of: filters, without, pulls)
    var items: [Int] = []
    var scores: [Float] = []
    while true {
      let list = try ask(bias)
      for (id, score) in zip(list.ids, list.scores) where items.count < k {
        if limits.contains(where: { $0.isFull(id) }) { continue }
        items.append(id)
        scores.append(score)
        for place in limits.indices { limits[place].take(id) }
      }
      if items.count == k || list.ids.count < topK { return TopK(ids: items, scores: scores) }
      // The artifact has more: it is asked again, without what it gave.
      var next = bias ?? Array(repeating: 0, count: rows)
      for id in list.ids { next[id] = leftOut }
      if !limits.isEmpty { leaveOut(&next) { id in limits.contains { $0.isFull(id) } } }
      bias = next
    }
  }

  /// What is added to the scores; nil: nothing.
  private func bias(of filters: Filters, _ without: [Int], _ pulls: [Int: Pull]) throws -> [Float]? {
    for (key, push) in filters.boost where !(abs(push) <= mostBoost) {  // so that NaN is wrong
      throw GlintError(.argument, "boost of \"\(key)\" is a number from -1000000 to 1000000, not \(push)")
    }
    let out = without + filters.without.compactMap { ids[$0] }
    let isFiltered = !out.isEmpty || filters.among != nil || !filters.where.isEmpty
    guard isFiltered || !filters.boost.isEmpty || !pulls.isEmpty else { return nil }
    var bias = Array(repeating: filters.among == nil ? 0 : leftOut, count: rows)
    for id in (filters.among ?? []).compactMap({ ids[$0] }) { bias[id] = 0 }
    // What is left out stays out: beside its number, a push is nothing.
    for (key, push) in filters.boost {
      if let id = ids[key] { bias[id] += Float(push) }
    }
    for (id, pull) in pulls { bias[id] += pull.rise }
    for (name, values) in filters.where {
      let field = try self.field(name)
      let wanted = Set(values.compactMap { field.numbers[$0] })
      leaveOut(&bias) { id in !wanted.contains(field.byId[id]) }
    }
    for id in out { bias[id] = leftOut }
    return bias
  }

  private func limits(of filters: Filters) throws -> [Limit] {
    try filters.mostPer.map { name, most in
      guard most >= 1 else {
        throw GlintError(.argument, "mostPer of \"\(name)\" is at least 1, not \(most)")
      }
      return Limit(try field(name), most)
    }
  }

  private func field(_ name: String) throws -> Field {
    if let field = fields[name] { return field }
    let names = fields.keys.sorted().joined(separator: ", ")
    let rest = names.isEmpty ? "this bundle has no fields" : "the fields are \(names)"
    throw GlintError(.argument, "no item has the field '\(name)'; \(rest)")
  }

  private func leaveOut(_ bias: inout [Float], where isSo: (Int) -> Bool) {
    for id in 1..<count where isSo(id) { bias[id] = leftOut }
  }
}
