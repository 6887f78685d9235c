import Foundation
import OctNetCore
import OctNetSupport

/// CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
/// 2009): records of one label byte (CIFAR-100: coarse, then fine) and 3 planes of 32 × 32 bytes, R, G, B.
package enum CIFAR {
  static let side = 32
  static let imageSize = 3 * side * side

  package enum Labels {
    case cifar10
    case cifar100Coarse
    case cifar100Fine

    /// Label bytes of a record.
    var bytes: Int { self == .cifar10 ? 1 : 2 }
    /// Which of them is the label.
    var offset: Int { self == .cifar100Fine ? 1 : 0 }

    var classCount: Int {
      switch self {
      case .cifar10: 10
      case .cifar100Coarse: 20
      case .cifar100Fine: 100
      }
    }

    package var nameFile: String {
      switch self {
      case .cifar10: "batches.meta.txt"
      case .cifar100Coarse: "coarse_label_names.txt"
      case .cifar100Fine: "fine_label_names.txt"
      }
    }

    package var recordSize: Int { bytes + imageSize }
  }

  /// A file of a data set, with the number of records in the published one.
  package struct Part {
    package var file: String
    var officialRecords: Int
  }

  package static let cifar10Train = (1...5).map {
    Part(file: "data_batch_\($0).bin", officialRecords: 10_000)
  }
  static let cifar10Test = [Part(file: "test_batch.bin", officialRecords: 10_000)]
  static let cifar100Train = [Part(file: "train.bin", officialRecords: 50_000)]
  static let cifar100Test = [Part(file: "test.bin", officialRecords: 10_000)]

  package static func load(directory: String, labels: Labels) throws(OctNetError) -> DataSplit {
    let isTen = labels == .cifar10
    let trainParts = isTen ? cifar10Train : cifar100Train
    let testParts = isTen ? cifar10Test : cifar100Test
    let directory = resolve(
      directory, folder: isTen ? "cifar-10-batches-bin" : "cifar-100-binary", file: trainParts[0].file)
    try refuseOtherForms(in: directory, expected: trainParts[0].file, labels: labels)
    try checkSizes(of: trainParts + testParts, in: directory, recordSize: labels.recordSize)
    let names = try classNames(in: directory, labels: labels)
    let title = isTen ? "CIFAR-10" : labels == .cifar100Fine ? "CIFAR-100" : "CIFAR-100 (coarse)"
    return DataSplit(
      train: try readImages(
        trainParts, in: directory, name: "\(title) train", labels: labels, classNames: names),
      test: try readImages(
        testParts, in: directory, name: "\(title) test", labels: labels, classNames: names),
      normalization: isTen ? .cifar10 : .cifar100)
  }

  /// `directory`, or the folder in it that the published archive unpacks to.
  private static func resolve(_ directory: String, folder: String, file: String) -> String {
    let inner = "\(directory)/\(folder)"
    let exists = FileManager.default.fileExists(atPath:)
    return !exists("\(directory)/\(file)") && exists("\(inner)/\(file)") ? inner : directory
  }

  /// Says what is there in place of the binary version, and how to get that.
  private static func refuseOtherForms(
    in directory: String, expected file: String, labels: Labels
  ) throws(OctNetError) {
    let exists = FileManager.default.fileExists(atPath:)
    guard !exists("\(directory)/\(file)") else { return }
    let set = labels == .cifar10 ? "cifar-10" : "cifar-100"
    let archive = "\(set)-binary.tar.gz"
    let advice = "fetch \(archive) from the data set's page and unpack it: tar xzf \(archive)"
    let path = exists(directory) && !FileReader.isDirectory(directory) ? directory : nil
    if let path {
      let isArchive = path.hasSuffix(".gz") || path.hasSuffix(".tar") || path.hasSuffix(".tgz")
      throw OctNetError.file(
        path: path,
        isArchive
          ? "an archive, expected the directory that it unpacks to: tar xzf \(path)"
          : "a file, expected a directory")
    }
    guard exists(directory) else { throw OctNetError.file(path: directory, "no such directory") }
    let python = labels == .cifar10 ? ["data_batch_1", "batches.meta"] : ["train", "meta"]
    for folder in [directory, "\(directory)/cifar-10-batches-py", "\(directory)/cifar-100-python"]
    where python.contains(where: { exists("\(folder)/\($0)") && !FileReader.isDirectory("\(folder)/\($0)") })
    {
      throw OctNetError.file(path: folder, "the version for Python, expected the binary version: \(advice)")
    }
    for name in [archive, "\(set)-python.tar.gz", "\(set)-matlab.tar.gz"] where exists("\(directory)/\(name)")
    {
      throw OctNetError.file(
        path: "\(directory)/\(name)",
        name == archive
          ? "not unpacked: tar xzf \(name)" : "not the binary version: \(advice)")
    }
    throw OctNetError.file(
      path: "\(directory)/\(file)",
      "no such file; the directory holds \(DirectoryContents.summary(of: directory))")
  }

  /// Every file must hold whole records. A smaller set in the same layout is welcome; but where one file has the
  /// published size, one of another size beside it was cut off, even if it was cut between two records.
  private static func checkSizes(
    of parts: [Part], in directory: String, recordSize: Int
  ) throws(OctNetError) {
    var sizes: [Int] = []
    for part in parts { sizes.append(try FileReader(path: "\(directory)/\(part.file)").size) }
    let isPublished = zip(parts, sizes).contains { $1 == $0.officialRecords * recordSize }
    for (part, size) in zip(parts, sizes) {
      let official = part.officialRecords * recordSize
      guard size > 0 && size % recordSize == 0 && (!isPublished || size == official) else {
        let (records, rest) = size.quotientAndRemainder(dividingBy: recordSize)
        throw OctNetError.file(
          path: "\(directory)/\(part.file)",
          "found \(numbered(size, "byte")) (\(numbered(records, "record"))\(rest > 0 ? " and " + numbered(rest, "byte") : "")), "
            + "expected \(numbered(official, "byte")) (\(numbered(part.officialRecords, "record")) of \(numbered(recordSize, "byte")))"
            + (isPublished ? "" : " or another number of whole records"))
      }
    }
  }

  private static func readImages(
    _ parts: [Part], in directory: String, name: String, labels kind: Labels, classNames: [String]
  ) throws(OctNetError) -> ImageSet {
    var files: [[UInt8]] = []
    var labels: [Int] = []
    for part in parts {
      let path = "\(directory)/\(part.file)"
      let bytes = try FileReader.bytes(of: path, limit: .max)
      for record in 0..<bytes.count / kind.recordSize {
        let offset = record * kind.recordSize + kind.offset
        let label = Int(bytes[offset])
        guard label < kind.classCount else {
          throw OctNetError.file(
            path: path,
            "label \(label) at byte \(offset) (record \(record)), expected 0 to \(kind.classCount - 1)")
        }
        labels.append(label)
      }
      files.append(bytes)
    }
    let size = labels.count * imageSize
    let pixels = [UInt8](unsafeUninitializedCapacity: size) { pixels, initialized in
      guard var pixel = pixels.baseAddress else { return }
      for file in files { interleave(file, labelBytes: kind.bytes, to: &pixel) }
      initialized = size
    }
    return ImageSet(
      name: name, height: side, width: side, channels: 3, classNames: classNames, pixels: pixels,
      labels: labels)
  }

  /// From planes to pixels, of which `pixel` is the next one. Plain pointers and counted loops, since a debug build
  /// would spend minutes on the 184 million accesses to arrays.
  private static func interleave(
    _ records: [UInt8], labelBytes: Int, to pixel: inout UnsafeMutablePointer<UInt8>
  ) {
    records.withUnsafeBufferPointer { records in
      guard var plane = records.baseAddress else { return }
      var output = pixel
      let end = plane + records.count
      while plane < end {
        plane += labelBytes
        let next = plane + 3 &* 1024
        var index = 0
        while index < 1024 {
          output[0] = plane[0]
          output[1] = plane[1024]
          output[2] = plane[2048]
          output += 3
          plane += 1
          index &+= 1
        }
        plane = next
      }
      pixel = output
    }
  }

  /// The names that came with the data; those of CIFAR-10 are known, and other classes are numbered, without them.
  private static func classNames(in directory: String, labels: Labels) throws(OctNetError) -> [String] {
    let path = "\(directory)/\(labels.nameFile)"
    guard FileManager.default.fileExists(atPath: path) else {
      return labels == .cifar10 ? cifar10Names : (0..<labels.classCount).map(String.init)
    }
    let text = String(decoding: try FileReader.bytes(of: path, limit: FileLimit.names), as: UTF8.self)
    let names = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter
    { !$0.isEmpty }
    guard names.count == labels.classCount else {
      throw OctNetError.file(
        path: path, "found \(numbered(names.count, "class name")), expected \(labels.classCount)")
    }
    return names
  }

  static let cifar10Names = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]
}
