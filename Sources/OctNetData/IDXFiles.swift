import Foundation
import OctNetCore
import OctNetSupport

/// The four files of MNIST or a descendant of it, under the names that they have where people get them from.
///
/// - `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` (LeCun), with a dot before `idx` (some archives), each one also
///   in a folder of its own name (Kaggle), each one also compressed, with `.gz` behind it;
/// - `emnist-SPLIT-train-images-idx3-ubyte`, `emnist-SPLIT-test-…` (EMNIST), one split or `DIR#SPLIT`;
/// - `qmnist-train-images-idx3-ubyte`, `qmnist-test-labels-idx2-int` (QMNIST);
///
/// in the directory, in a folder `raw` below it, or in `MNIST/raw` and the like (torchvision).
struct IDXFiles {
  struct Pair {
    var images, labels: String
  }

  let train, test: Pair
  /// Where the files lie.
  private let folder: String
  /// EMNIST's names of classes, where they are there.
  private let mapping: String?

  /// - Throws: `OctNetError.file` that names what is missing and what was found.
  init(_ place: String) throws(OctNetError) {
    var directory = place, split: String?
    if !Self.exists(place), let hash = place.lastIndex(of: "#") {
      directory = String(place[..<hash])
      split = String(place[place.index(after: hash)...])
    }
    let folders = Self.folders(in: directory)
    let candidates = folders.flatMap { Self.sets(in: $0) }
    let sets = split.map { split in candidates.filter { $0.split == split } } ?? candidates
    guard let set = sets.first else {
      throw OctNetError.file(path: place, Self.nothingFound(in: directory, split: split, candidates))
    }
    guard sets.count == 1 else {
      let names = sets.map { $0.split.map { "\(directory)#\($0)" } ?? $0.folder }
      throw OctNetError.file(
        path: place, "several data sets, expected one: say which of \(names.joined(separator: ", "))")
    }
    train = Pair(images: set.trainImages, labels: try set.file("train", "labels"))
    test = Pair(images: try set.file("test", "images"), labels: try set.file("test", "labels"))
    folder = set.folder
    let mapping = set.split.map { "\(set.folder)/emnist-\($0)-mapping.txt" }
    self.mapping = mapping.flatMap { Self.exists($0) ? $0 : nil }
  }

  /// Whether labels are QMNIST's rows of integers.
  static func hasWideLabels(_ path: String) -> Bool {
    (path as NSString).lastPathComponent.contains("idx2-int")
  }

  /// Those of a file beside the data, EMNIST's or another set's published ones, else numbers.
  /// - Throws: `OctNetError.file` for a file of names that is none.
  func classNames(trainingLabels labels: [UInt8]) throws(OctNetError) -> [String] {
    let count = Int(labels.max() ?? 0) + 1
    if let names = try IDXClassNames.names(count: count, in: folder) { return names }
    if let names = try mappedNames(count: count) { return names }
    return IDXClassNames.published(labels) ?? (0..<count).map(String.init)
  }

  /// The first character of each class in EMNIST's mapping, rows of a label and of codes; `nil` without one. Labels that no
  /// row has (0 in `letters`) are called `N/A`, as by torchvision.
  /// - Throws: `OctNetError.file` for a mapping that is none.
  private func mappedNames(count: Int) throws(OctNetError) -> [String]? {
    guard let mapping else { return nil }
    var names = [String](repeating: "N/A", count: count)
    let text = String(decoding: try FileReader.bytes(of: mapping, limit: FileLimit.names), as: UTF8.self)
    for (index, line) in text.split(whereSeparator: \.isNewline).enumerated() {
      let numbers = line.split(separator: " ").map { Int($0) }
      guard numbers.count >= 2, let label = numbers[0], let code = numbers[1],
        let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init), label >= 0
      else {
        throw OctNetError.file(
          path: mapping,
          "line \(index + 1): expected a label and codes of characters, found \"\(line.prefix(40))\"")
      }
      if label < count { names[label] = String(Character(scalar)) }
    }
    return names
  }

  // MARK: Names

  /// One data set: a folder, and how its files begin.
  private struct Candidate {
    var folder: String
    var trainPrefix, testPrefix: String
    /// EMNIST's.
    var split: String?
    var trainImages = ""

    func file(_ half: String, _ kind: String) throws(OctNetError) -> String {
      let prefix = half == "train" ? trainPrefix : testPrefix
      if let path = IDXFiles.locate("\(prefix)-\(kind)", kind, in: folder) { return path }
      throw OctNetError.file(
        path: "\(folder)/\(prefix)-\(kind)-\(IDXFiles.suffixes(kind)[0])", "no such file")
    }
  }

  private static func suffixes(_ kind: String) -> [String] {
    kind == "images" ? ["idx3-ubyte"] : ["idx1-ubyte", "idx2-int"]
  }

  private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// The file with this stem in `folder`: plain, in a folder of its own name, compressed.
  private static func locate(_ stem: String, _ kind: String, in folder: String) -> String? {
    for suffix in suffixes(kind) {
      let names = ["\(stem)-\(suffix)", "\(stem).\(suffix)"]
      for name in names + names.map({ $0 + ".gz" }) {
        let path = "\(folder)/\(name)"
        guard FileReader.isDirectory(path) else {
          if exists(path) { return path }
          continue
        }
        for inner in names where exists("\(path)/\(inner)") && !FileReader.isDirectory("\(path)/\(inner)") {
          return "\(path)/\(inner)"
        }
      }
    }
    return nil
  }

  /// Where files may lie: the directory itself before those below it.
  private static func folders(in directory: String) -> [String] {
    let known = ["MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST"].map { "\(directory)/\($0)/raw" }
    let near = [directory, "\(directory)/raw"].filter { !sets(in: $0).isEmpty }
    return near.isEmpty ? known : Array(near.prefix(1))
  }

  private static func sets(in folder: String) -> [Candidate] {
    var candidates = [
      Candidate(folder: folder, trainPrefix: "train", testPrefix: "t10k"),
      Candidate(folder: folder, trainPrefix: "qmnist-train", testPrefix: "qmnist-test"),
    ]
    for split in ["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] {
      candidates.append(
        Candidate(
          folder: folder, trainPrefix: "emnist-\(split)-train", testPrefix: "emnist-\(split)-test",
          split: split))
    }
    return candidates.compactMap { candidate in
      var found = candidate
      guard let images = locate("\(candidate.trainPrefix)-images", "images", in: folder) else { return nil }
      found.trainImages = images
      return found
    }
  }

  private static func nothingFound(in directory: String, split: String?, _ others: [Candidate]) -> String {
    if let split, !others.isEmpty {
      let splits = others.compactMap(\.split).joined(separator: ", ")
      return "no files of the split \"\(split)\", found \(splits.isEmpty ? "a set without splits" : splits)"
    }
    guard exists(directory) else { return "no such directory" }
    return
      "expected train-images-idx3-ubyte (or with .gz, or QMNIST's or EMNIST's names) in it, in raw/ or in "
      + "MNIST/raw/ below it, found " + DirectoryContents.summary(of: directory)
  }
}
