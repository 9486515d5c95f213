import Foundation

/// What an app needs of a bundle's folder.
struct AppBundle {
  static let schemaVersion = 2
  static let withoutFilters = 1
  /// From this share of repeating targets on, people take an item again. Ratings and reviews have
  /// none, but for a row written twice; shops, music and news 10 to 60 %.
  static let repeatsFrom = 0.01

  let folder: URL
  let manifest: Manifest
  /// The user's item keys by id; the first is "", padding.
  let keys: [String]
  let titles: [String: String]
  /// Of each field, such as a category, the value by key.
  let fields: [String: [String: String]]
  /// The address of a picture by key.
  let images: [String: URL]
  let artifact: URL
  /// nil: the model is alone.
  let neighbours: Neighbours?

  /// Floats of a state.
  var stateSize: Int { manifest.state.shape[1] }
  /// Items of one `append_many`.
  let chunk: Int
  /// Of the item table, which a bias has a number for each of, by id.
  let rows: Int
  var shapes: Shapes { Shapes(state: stateSize, chunk: chunk, topK: manifest.top_k, rows: rows) }
  /// How many of a session's last items count; nil: all.
  var window: Int? { manifest.window == "sliding" ? manifest.model.max_length : nil }
  /// How many of a session's last items are saved as they are; nil: all.
  var kept: Int? { window.map { max($0, neighbours?.last ?? 0) } }
  /// How many items a state holds at most, where there is a window. An imported model promises its
  /// authors' scores of its last N items: no more are held.
  var mostHeld: Int {
    let longest = manifest.model.max_length
    return manifest.model.padding == .reference ? longest : longest + longest / 4
  }

  /// Whether lists leave out all of the session's own items, where nobody says.
  var excludesSeen: Bool { manifest.data?.repeats.map { $0 < Self.repeatsFrom } ?? false }

  /// Read a bundle, and hold each file that is read to its size and sha256.
  ///
  /// The manifest's own digest is taken as it is: an app's resources are signed with the app.
  init(folder: URL, target: String) throws {
    self.folder = folder
    manifest = try Self.readManifest(folder)
    try Self.require(manifest.isSound, folder.appendingPathComponent("manifest.json"))
    let file = folder.appendingPathComponent("items.json")
    let items = try Self.decode(Items.self, try Self.checked(folder, manifest, "items.json"), file)
    let keys = [""] + items.keys.map(\.text)
    let isWhole = keys.count == manifest.model.items + 1 && Set(keys).count == keys.count
    try Self.require(isWhole, file)
    self.keys = keys
    titles = items.titles
    fields = items.fields
    let addresses = items.images.values
    try Self.require(addresses.allSatisfy { isMatch($0, "(?i:https?)://\\S+") }, file)
    images = items.images.compactMapValues { URL(string: $0) }
    neighbours = try Self.neighbours(folder, manifest)
    guard let artifact = manifest.artifacts.first(where: { $0.target == target }) else {
      throw GlintError(
        .argument, "\(folder.path) has no artifact for \(target); export it with --target \(target)")
    }
    _ = try Self.checked(folder, manifest, artifact.file)
    self.artifact = folder.appendingPathComponent(artifact.file)
    chunk = manifest.chunk ?? 1  // what is sound has one
    rows = manifest.rows ?? 1
  }

  private static func neighbours(_ folder: URL, _ manifest: Manifest) throws -> Neighbours? {
    guard manifest.files[Neighbours.file] != nil else { return nil }
    let data = try checked(folder, manifest, Neighbours.file)
    let file = folder.appendingPathComponent(Neighbours.file)
    return try Neighbours(data, items: manifest.model.items, file)
  }

  static func readManifest(_ folder: URL) throws -> Manifest {
    let file = folder.appendingPathComponent("manifest.json")
    guard let data = try? Data(contentsOf: file) else {
      throw GlintError(.damaged, "\(folder.path) is not a bundle: it has no manifest.json")
    }
    let version = try decode(Version.self, data, file).schema_version
    try require(version >= 1, file)
    guard version != withoutFilters else {
      throw GlintError(
        .damaged, "\(folder.path) was exported by an earlier glint-edge, without filters; export it again")
    }
    guard version <= schemaVersion else {
      throw GlintError(
        .upgrade,
        "\(folder.path) has schema version \(version), this app reads \(schemaVersion); upgrade the app")
    }
    return try decode(Manifest.self, data, file)
  }

  /// A file's bytes, once they are what the manifest says.
  static func checked(_ folder: URL, _ manifest: Manifest, _ name: String) throws -> Data {
    let file = folder.appendingPathComponent(name)
    guard let data = try? Data(contentsOf: file, options: .mappedIfSafe) else {
      throw GlintError(.damaged, "\(file.path) is missing; copy the whole bundle")
    }
    guard let entry = manifest.files[name], entry.bytes == data.count, entry.sha256 == sha256(data) else {
      throw GlintError(.damaged, "\(file.path) is not what its manifest says; copy the bundle again")
    }
    return data
  }

  static func decode<T: Decodable>(_ type: T.Type, _ data: Data, _ file: URL) throws -> T {
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      throw GlintError(.damaged, "\(file.path) is damaged (\(reason)); copy the bundle again")
    }
  }

  static func require(_ holds: Bool, _ file: URL) throws {
    guard holds else { throw GlintError(.damaged, "\(file.path) is damaged; copy the bundle again") }
  }
}

struct Version: Decodable {
  let schema_version: Int
}

/// The parts of manifest.json that are used, by their names there.
struct Manifest: Decodable {
  let digest: String
  let window: String
  let top_k: Int
  let model: Model
  let state: Shape
  let methods: Methods
  let artifacts: [Artifact]
  let files: [String: File]
  let data: Log?

  struct Log: Decodable {
    /// Share of the log's targets that repeat an item of their user's; nil: not known.
    let repeats: Double?
  }
  struct Model: Decodable {
    let items: Int
    let max_length: Int
    let padding: Padding?
  }
  enum Padding: String, Decodable { case masked, reference }
  struct Shape: Decodable { let shape: [Int] }
  struct Methods: Decodable {
    let append_many: Method
    let recommend: Method
  }
  struct Method: Decodable { let inputs: [Input] }
  struct Input: Decodable {
    let name: String
    let shape: [Int]
  }
  struct Artifact: Decodable {
    let target: String
    let file: String
  }
  struct File: Decodable {
    let bytes: Int
    let sha256: String
  }
}

extension Manifest {
  /// Items of one `append_many`; nil: it takes none.
  var chunk: Int? { methods.append_many.inputs.first { $0.name == "items" }?.shape.last }
  /// Of the item table; nil: `recommend` takes no bias.
  var rows: Int? { methods.recommend.inputs.first { $0.name == "bias" }?.shape.last }

  /// Whether all that is read is in bounds, and no name is that of a file elsewhere.
  var isSound: Bool {
    var shapes = [state.shape]
    for input in methods.append_many.inputs where input.name == "items" { shapes.append(input.shape) }
    for input in methods.recommend.inputs where input.name == "bias" { shapes.append(input.shape) }
    let sizes = 1...(1 << 28)
    let sums = files.values.map(\.sha256) + [digest]
    let names = Array(files.keys) + artifacts.map(\.file)
    guard let rows = self.rows, chunk != nil,
      shapes.allSatisfy({ shape in shape.count == 2 && shape.allSatisfy { sizes.contains($0) } }),
      (1...100_000_000).contains(model.items),
      rows >= model.items + 2,
      (1...1_000_000).contains(model.max_length),
      (1...min(model.items, 1_000_000)).contains(top_k),
      (0.0...1.0).contains(data?.repeats ?? 0),
      ["sliding", "unbounded"].contains(window),
      sums.allSatisfy({ isMatch($0, "[0-9a-f]{64}") }),
      names.allSatisfy({ isMatch($0, "[A-Za-z0-9][A-Za-z0-9._-]{0,98}") })
    else { return false }
    return true
  }
}

/// Whether a whole text is of a pattern.
private func isMatch(_ text: String, _ pattern: String) -> Bool {
  text.range(of: "\\A\(pattern)\\z", options: .regularExpression) != nil
}

struct Items: Decodable {
  let keys: [Key]
  let titles: [String: String]
  let fields: [String: [String: String]]
  let images: [String: String]

  /// A text, or a whole number, which is a key as it is spelled.
  struct Key: Decodable {
    let text: String

    init(from decoder: Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        self.text = text
      } else {
        let number = try value.decode(Int64.self)
        guard number.magnitude < 1_000_000_000_000_000_000 else {  // that every platform reads
          throw DecodingError.dataCorruptedError(in: value, debugDescription: "a key is too large")
        }
        text = String(number)
      }
    }
  }

  private enum Names: String, CodingKey { case keys, titles, fields, images }

  init(from decoder: Decoder) throws {
    let values = try decoder.container(keyedBy: Names.self)
    keys = try values.decode([Key].self, forKey: .keys)
    func texts<T: Decodable>(_ name: Names, none: T) throws -> T {
      values.contains(name) ? try values.decode(T.self, forKey: name) : none
    }
    titles = try texts(.titles, none: [:])
    fields = try texts(.fields, none: [:])
    images = try texts(.images, none: [:])
  }
}
