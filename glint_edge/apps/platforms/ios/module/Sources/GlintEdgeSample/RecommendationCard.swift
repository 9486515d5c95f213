#if canImport(SwiftUI)
import GlintEdge
import SwiftUI

/// An item: what it is, what else is known of it, and "more like this".
struct RecommendationCard: View {
  private let one: Recommendation
  private let because: String?
  private let take: () -> Void
  private let seekLike: () -> Void

  /// - Parameter because: the title of the history's item whose neighbour it is; nil: it is none's.
  init(
    _ one: Recommendation, because: String?, take: @escaping () -> Void, seekLike: @escaping () -> Void
  ) {
    self.one = one
    self.because = because
    self.take = take
    self.seekLike = seekLike
  }

  var body: some View {
    VStack(alignment: .leading, spacing: 6) {
      Button(action: take) {
        VStack(alignment: .leading, spacing: 6) {
          cover
          Text(one.title ?? one.key).font(.headline).lineLimit(2, reservesSpace: true)
          Text(fields).font(.caption).foregroundStyle(.secondary).lineLimit(1)
          if let because {
            Text("because you tapped \(because)").font(.caption).foregroundStyle(.secondary).lineLimit(2)
          }
        }
      }
      .buttonStyle(.plain)
      Button("More like this", action: seekLike).font(.caption)
    }
  }

  private var fields: String {
    one.fields.sorted { $0.key < $1.key }.map(\.value).joined(separator: " · ")
  }

  /// The item's picture, the one thing that is ever fetched; until it is there, and where there is
  /// none, a drawn cover.
  private var cover: some View {
    DrawnCover(key: one.key, title: one.title ?? one.key)
      .overlay {
        if let image = one.image {
          AsyncImage(url: image) { $0.resizable().scaledToFill() } placeholder: { Color.clear }
        }
      }
      .aspectRatio(4 / 3, contentMode: .fit)
      .clipShape(RoundedRectangle(cornerRadius: 10))
      .accessibilityHidden(true)
  }
}

/// Of a colour by the item's key and its title's initials, the same for the same item.
private struct DrawnCover: View {
  let key: String
  let title: String

  var body: some View {
    let hue = Double(key.utf8.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) } % 360) / 360
    ZStack {
      Color(hue: hue, saturation: 0.3, brightness: 0.9)
      Text(initials).font(.largeTitle).foregroundStyle(Color(hue: hue, saturation: 0.7, brightness: 0.4))
    }
  }

  /// Of the first two words, those before numbers: "SW" of "Star Wars (1977)", "7" of "7".
  private var initials: String {
    let words = title.split { !$0.isLetter && !$0.isNumber }
    let named = words.filter { $0.first?.isLetter == true }
    return (named.isEmpty ? words : named).prefix(2).map { $0.prefix(1).uppercased() }.joined()
  }
}
#endif
