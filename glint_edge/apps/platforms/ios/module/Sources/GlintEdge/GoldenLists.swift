import Foundation

/// A list of golden.json that was asked for with filters, by the file's own names.
struct GoldenList: Decodable {
  /// Of a list after a history; nil of what is like an item.
  let history: [Int]?
  /// Of what is like an item, its id.
  let item: Int?
  let k: Int
  let filter: Filter
  let items: [Int]
  /// Boosts among them.
  let scores: [Double]
  /// Other items that another machine's rounding may put in, with their scores.
  let near: [String: Double]
  /// Whether the bundle's neighbours have a part in it.
  let neighbours: Bool?

  struct Filter: Decodable {
    let excludeSeen: Bool
    let filters: Filters

    private enum Words: String, CodingKey, CaseIterable { case exclude_seen, without, among, `where`, boost, most_per }

    private struct Word: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }

      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: Decoder) throws {
      let all = try decoder.container(keyedBy: Word.self)
      for word in all.allKeys where Words(rawValue: word.stringValue) == nil {
        throw DecodingError.dataCorruptedError(forKey: word, in: all, debugDescription: "a filter is unknown")
      }
      let words = try decoder.container(keyedBy: Words.self)
      func read<T: Decodable>(_ word: Words, none: T) throws -> T {
        words.contains(word) ? try words.decode(T.self, forKey: word) : none
      }
      excludeSeen = try read(.exclude_seen, none: false)
      filters = Filters(
        without: try read(.without, none: []),
        among: words.contains(.among) ? try words.decode([String].self, forKey: .among) : nil,
        where: try read(.where, none: [:]),
        boost: try read(.boost, none: [:]),
        mostPer: try read(.most_per, none: [:]))
    }
  }

  /// Whether all is in bounds, for a catalogue of so many items.
  func isSound(_ count: Int, isSimilar: Bool) -> Bool {
    var ids = items
    ids.append(contentsOf: history ?? [])
    ids.append(contentsOf: near.keys.map { Int($0) ?? 0 })
    if let item { ids.append(item) }
    let sizes = [k] + filter.filters.mostPer.values
    guard isSimilar ? item != nil : history != nil,
      items.count == scores.count, items.count <= k,
      ids.allSatisfy({ (1...count).contains($0) }),
      sizes.allSatisfy({ (1...100_000_000).contains($0) }),
      filter.filters.boost.values.allSatisfy({ abs($0) <= mostBoost })
    else { return false }
    return true
  }

  /// What a list has wrong, with this much allowed of each score.
  func errors(_ ids: [Int], _ listScores: [Float], _ error: Double) -> [String] {
    guard ids.count == items.count else { return ["it lists \(ids.count) items, not \(items.count)"] }
    var known = Dictionary(near.map { (Int($0) ?? 0, $1) }) { first, _ in first }
    for (id, score) in zip(items, scores) { known[id] = score }
    // Without a history nothing is computed, and the order is exact.
    let swap = history?.isEmpty == true ? 0 : error
    return ids.indices.flatMap { place in
      let id = ids[place]
      let isNear = known[id].map { abs($0 - scores[place]) <= swap } ?? false
      var wrong: [String] = []
      if !(abs(Double(listScores[place]) - scores[place]) <= error) {  // so that NaN is wrong
        wrong.append("the score in place \(place + 1) is \(listScores[place]), not \(scores[place])")
      }
      if ids.firstIndex(of: id) != place {
        wrong.append("item \(id) is in the list twice")
      } else if id != items[place] && !isNear {
        wrong.append("item \(id) in place \(place + 1) should be \(items[place])")
      }
      return wrong
    }
  }
}
