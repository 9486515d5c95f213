import CryptoKit
import Foundation

/// What an app needs of a bundle's folder.
struct AppBundle {
  static let schemaVersion = 1
  /// Of a size, that memory can hold.
  private static let largest = 1 << 28

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

  /// Floats of a state.
  var stateSize: Int { manifest.state.shape[1] }
  /// Items of one `append_many`.
  let chunk: Int
  /// How many of a session's last items count; nil: all.
  var window: Int? { manifest.window == "sliding" ? manifest.model.max_length : nil }

  /// Read a bundle, and hold each file that is read to its size and sha256.
  ///
  /// The manifest's own digest is taken as it is: an app's resources are signed with the app.
  init(folder: URL, target: String) throws {
    self.folder = folder
    manifest = try Self.readManifest(folder)
    let items = try Self.decode(
      Items.self, try Self.checked(folder, manifest, "items.json"), folder.appending(path: "items.json"))
    keys = [""] + items.keys
    titles = items.titles ?? [:]
    fields = items.fields ?? [:]
    images = (items.images ?? [:]).compactMapValues(Self.address)
    guard let artifact = manifest.artifacts.first(where: { $0.target == target }) else {
      throw GlintError(
        .argument, "\(folder.path) has no artifact for \(target); export it with --target \(target)")
    }
    _ = try Self.checked(folder, manifest, artifact.file)
    self.artifact = folder.appending(path: artifact.file)
    guard let input = manifest.methods.append_many.inputs.first(where: { $0.name == "items" }),
      input.shape.count == 2, manifest.state.shape.count == 2,
      [input.shape[1], manifest.state.shape[1], manifest.top_k, manifest.model.max_length]
        .allSatisfy({ (1...Self.largest).contains($0) })
    else {
      throw GlintError(.damaged, "\(folder.path) is damaged at its shapes; copy the bundle again")
    }
    chunk = input.shape[1]
  }

  /// What an app may load as a picture; nothing here does.
  private static func address(_ text: String) -> URL? {
    guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()) else {
      return nil
    }
    return url
  }

  static func readManifest(_ folder: URL) throws -> Manifest {
    let file = folder.appending(path: "manifest.json")
    guard let data = try? Data(contentsOf: file) else {
      throw GlintError(.damaged, "\(folder.path) is not a bundle: it has no manifest.json")
    }
    let version = try decode(Version.self, data, file).schema_version
    guard version <= schemaVersion else {
      throw GlintError(
        .upgrade,
        "\(folder.path) has schema version \(version), this app reads \(schemaVersion); upgrade the app")
    }
    return try decode(Manifest.self, data, file)
  }

  /// A file's bytes, once they are what the manifest says.
  static func checked(_ folder: URL, _ manifest: Manifest, _ name: String) throws -> Data {
    let file = folder.appending(path: name)
    guard let data = try? Data(contentsOf: file, options: .mappedIfSafe) else {
      throw GlintError(.damaged, "\(file.path) is missing; copy the whole bundle")
    }
    let sha256 = SHA256.hash(data: data).map { String(format: "%02x", $0) }.joined()
    guard let told = manifest.files[name], told.bytes == data.count, told.sha256 == sha256 else {
      throw GlintError(.damaged, "\(file.path) is not what its manifest says; copy the bundle again")
    }
    return data
  }

  static func decode<T: Decodable>(_ type: T.Type, _ data: Data, _ file: URL) throws -> T {
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw GlintError(.damaged, "\(file.path) is damaged (\(error)); copy the bundle again")
    }
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

  struct Model: Decodable { let max_length: Int }
  struct Shape: Decodable { let shape: [Int] }
  struct Methods: Decodable { let append_many: Method }
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

struct Items: Decodable {
  let keys: [String]
  let titles: [String: String]?
  let fields: [String: [String: String]]?
  let images: [String: String]?
}
