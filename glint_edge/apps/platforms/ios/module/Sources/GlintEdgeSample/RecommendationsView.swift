#if canImport(SwiftUI)
import GlintEdge
import SwiftUI

/// A person's history, and the list after it: tap what you like, filter it, ask for more like one.
public struct RecommendationsView: View {
  private static let shown = 24
  private static let matches = 5

  private let recommender: Recommender
  private let titles: [String: String]
  @State private var session: Session
  @State private var history: [String] = []
  @State private var isHiding: Bool
  @State private var chosen: [String: [String]] = [:]
  @State private var like: String?
  @State private var list: [Recommendation] = []
  @State private var microseconds = 0.0
  @State private var search = ""

  public init(_ recommender: Recommender) throws {
    self.recommender = recommender
    titles = Dictionary(recommender.items.map { ($0.key, $0.title ?? $0.key) }) { first, _ in first }
    _session = State(initialValue: try recommender.start())
    _isHiding = State(initialValue: recommender.excludesSeen)
  }

  public var body: some View {
    NavigationStack {
      ScrollView {
        VStack(alignment: .leading, spacing: 12) {
          HistoryStrip(titles: history.map { titles[$0] ?? $0 }, remove: remove)
          FieldChips(recommender, chosen: $chosen)
          Toggle("Hide what I have seen", isOn: $isHiding)
          heading
          LazyVGrid(columns: [GridItem(.adaptive(minimum: 150), spacing: 12)], spacing: 12) {
            ForEach(list, id: \.key) { one in
              let because = one.because.map { titles[$0] ?? $0 }
              RecommendationCard(
                one, because: because, take: { take(one.key) }, seekLike: { like = one.key })
            }
          }
        }
        .padding()
      }
      .navigationTitle(title)
      .searchable(text: $search, prompt: "Add something you liked")
      .searchSuggestions {
        ForEach(matchingItems, id: \.key) { item in
          Button(item.title ?? item.key) { take(item.key) }
        }
      }
    }
    .onAppear(perform: compute)
    .onChange(of: history) { compute() }
    .onChange(of: isHiding) { compute() }
    .onChange(of: chosen) { compute() }
    .onChange(of: like) { compute() }
  }

  private var title: String {
    if let like { return "More like \(titles[like] ?? like)" }
    return history.isEmpty ? "Most popular" : "For you"
  }

  private var heading: some View {
    HStack {
      if list.isEmpty {
        Text("Nothing is left under these filters.")
      } else {
        Text("Computed on this device in \(microseconds, specifier: "%.0f") µs")
      }
      Spacer()
      if like != nil {
        Button("Back to my list") { like = nil }
      }
    }
    .font(.caption)
    .foregroundStyle(.secondary)
  }

  private var matchingItems: [(key: String, title: String?)] {
    let words = search.split(separator: " ")
    guard !words.isEmpty else { return [] }
    let matches = recommender.items.lazy.filter { item in
      let text = "\(item.title ?? "") \(item.key)"
      return words.allSatisfy { text.localizedCaseInsensitiveContains($0) }
    }
    return Array(matches.prefix(Self.matches))
  }

  private func take(_ key: String) {
    // Only keys of the catalogue are shown, so that none is refused.
    try? session.append(key)
    history = session.history
    like = nil
    search = ""
  }

  private func remove(_ place: Int) {
    let left = history.indices.filter { $0 != place }.map { history[$0] }
    guard let begun = try? recommender.start(left) else { return }
    session = begun
    history = left
  }

  /// Tens of microseconds: less than a change of threads.
  private func compute() {
    let took = ContinuousClock().measure {
      let seen = isHiding ? history : []
      if let like {
        list = (try? recommender.similar(like, Self.shown, without: seen, where: chosen)) ?? []
      } else {
        let tapped = Array(history.suffix(1))
        list = (try? session.top(Self.shown, excludeSeen: isHiding, without: tapped, where: chosen)) ?? []
      }
    }
    microseconds = Double(took.components.attoseconds) / 1e12
  }
}

/// The newest first; a tap takes an item out.
private struct HistoryStrip: View {
  let titles: [String]
  let remove: (Int) -> Void

  var body: some View {
    if titles.isEmpty {
      Text("Nothing yet: search above, or tap a recommendation.").foregroundStyle(.secondary)
    }
    ScrollView(.horizontal, showsIndicators: false) {
      HStack {
        ForEach(Array(titles.enumerated().reversed()), id: \.offset) { place, title in
          Button("\(title)  ×") { remove(place) }
            .buttonStyle(.bordered)
            .accessibilityLabel("Remove \(title)")
        }
      }
    }
  }
}

/// Of each field that groups items, its values, any number of which may be chosen.
private struct FieldChips: View {
  private let fields: [(name: String, values: [String])]
  @Binding private var chosen: [String: [String]]

  init(_ recommender: Recommender, chosen: Binding<[String: [String]]>) {
    let items = recommender.items.count
    let grouping = recommender.fields.filter { _, values in
      values.count > 1 && values.count <= Self.mostValues(values, items)
    }
    fields = grouping.sorted { $0.key < $1.key }.prefix(4).map { ($0.key, $0.value) }
    _chosen = chosen
  }

  /// How many values group so many items: of numbers, such as prices, fewer.
  private static func mostValues(_ values: [String], _ items: Int) -> Int {
    let numbers = values.filter { value in
      let begins = value.first { $0.isLetter || $0.isNumber }?.isWholeNumber == true
      return begins && value.filter(\.isWholeNumber).count >= value.filter(\.isLetter).count
    }
    return min(500, 2 * numbers.count > values.count ? items / 5 : items * 2 / 3)
  }

  var body: some View {
    ForEach(fields, id: \.name) { name, values in
      ScrollView(.horizontal, showsIndicators: false) {
        LazyHStack {
          ForEach(values, id: \.self) { value in
            let isChosen = chosen[name, default: []].contains(value)
            Button(value) { toggle(value, of: name) }
              .buttonStyle(.bordered)
              .tint(isChosen ? .accentColor : .secondary)
              .accessibilityAddTraits(isChosen ? .isSelected : [])
          }
        }
      }
    }
  }

  private func toggle(_ value: String, of name: String) {
    var values = chosen[name] ?? []
    if let place = values.firstIndex(of: value) {
      values.remove(at: place)
    } else {
      values.append(value)
    }
    chosen[name] = values.isEmpty ? nil : values
  }
}
#endif
