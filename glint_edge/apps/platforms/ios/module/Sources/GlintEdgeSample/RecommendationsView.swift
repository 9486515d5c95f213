import GlintEdge
import SwiftUI

/// Search titles, tap items, see the ten best change at each tap, with the time that took.
public struct RecommendationsView: View {
  private let recommender: Recommender
  @State private var session: Session
  @State private var best: [Recommendation]
  @State private var microseconds: Double?
  @State private var search = ""

  public init(_ recommender: Recommender) throws {
    let session = try recommender.start()
    self.recommender = recommender
    _session = State(initialValue: session)
    _best = State(initialValue: try Self.best(session, recommender))
  }

  public var body: some View {
    NavigationStack {
      List {
        if !found.isEmpty {
          Section("Add to the history") {
            ForEach(found, id: \.key) { item in row(item.key, item.title) }
          }
        }
        Section {
          ForEach(best, id: \.key) { one in
            row(one.key, one.title, one.fields.sorted { $0.key < $1.key }.map(\.value))
          }
        } header: {
          Text("After \(session.history.count) items; tap what you like")
        } footer: {
          if let microseconds {
            Text("Computed on this device in \(microseconds, specifier: "%.0f") µs")
          }
        }
      }
      .searchable(text: $search, prompt: "Search titles")
      .navigationTitle("Recommended")
    }
  }

  private var found: [(key: String, title: String?)] {
    guard !search.isEmpty else { return [] }
    let matches = recommender.items.lazy.filter {
      ($0.title ?? $0.key).localizedCaseInsensitiveContains(search)
    }
    return Array(matches.prefix(5))
  }

  private func row(_ key: String, _ title: String?, _ fields: [String] = []) -> some View {
    Button {
      tap(key)
    } label: {
      VStack(alignment: .leading) {
        Text(title ?? key)
        if !fields.isEmpty {
          Text(fields.joined(separator: " · ")).font(.caption).foregroundStyle(.secondary)
        }
      }
    }
  }

  /// Tens of microseconds: less than a change of threads.
  private func tap(_ key: String) {
    let clock = ContinuousClock()
    let took = clock.measure {
      // Only keys of the catalogue are shown, so that none is refused.
      try? session.append(key)
      best = (try? Self.best(session, recommender)) ?? []
    }
    microseconds = Double(took.components.attoseconds) / 1e12
    search = ""
  }

  private static func best(_ session: Session, _ recommender: Recommender) throws -> [Recommendation] {
    Array(try session.top(recommender.topK, excludeSeen: true).prefix(10))
  }
}
