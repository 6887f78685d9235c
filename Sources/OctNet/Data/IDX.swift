import Foundation

/// MNIST and its descendants (LeCun, "The MNIST database"): an array of bytes behind a header of two zero bytes, the
/// element type, the rank, and one big-endian 32-bit size per dimension.
enum IDX {
  static let byteType: UInt8 = 0x08

  /// Four files named as MNIST's: `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` and so on, or with a dot in
  /// place of the last hyphen but one, as some archives have it (`train-images.idx3-ubyte`).
  static func load(directory: String) throws(OctNetError) -> DataSplit {
    let train = try readPair("train", in: directory)
    let test = try readPair("t10k", in: directory)
    guard train.height == test.height && train.width == test.width else {
      throw OctNetError.file(
        path: test.imagePath,
        "found images of \(test.height)×\(test.width), "
          + "expected \(train.height)×\(train.width) as in training")
    }
    // The format does not say how many classes there are; the training labels do.
    let classCount = Int(train.labels.max() ?? 0) + 1
    let names = (0..<classCount).map(String.init)
    if let wrong = test.labels.firstIndex(where: { $0 >= classCount }) {
      throw OctNetError.file(
        path: test.labelPath,
        "label \(test.labels[wrong]) at byte \(headerSize(rank: 1) + wrong) (record \(wrong)), "
          + "expected 0 to \(classCount - 1) as in training")
    }
    let title = (directory as NSString).lastPathComponent
    let trainImages = train.imageSet(name: "\(title) train", classNames: names)
    return DataSplit(
      train: trainImages, test: test.imageSet(name: "\(title) test", classNames: names),
      normalization: Normalization(measuring: trainImages))
  }

  private struct Pair {
    var imagePath: String
    var labelPath: String
    var height: Int
    var width: Int
    var pixels: [UInt8]
    var labels: [UInt8]

    func imageSet(name: String, classNames: [String]) -> ImageSet {
      ImageSet(
        name: name, height: height, width: width, channels: 1, classNames: classNames, pixels: pixels,
        labels: labels.map(Int.init))
    }
  }

  private static func readPair(_ prefix: String, in directory: String) throws(OctNetError) -> Pair {
    let imagePath = try locate("\(prefix)-images", "idx3-ubyte", in: directory)
    let labelPath = try locate("\(prefix)-labels", "idx1-ubyte", in: directory)
    let images = try read(imagePath, rank: 3)
    let labels = try read(labelPath, rank: 1)
    guard images.sizes[0] == labels.sizes[0] else {
      throw OctNetError.file(
        path: labelPath, "found \(labels.sizes[0]) labels, expected \(images.sizes[0]), one for each image")
    }
    return Pair(
      imagePath: imagePath, labelPath: labelPath, height: images.sizes[1], width: images.sizes[2],
      pixels: images.values, labels: labels.values)
  }

  private static func locate(
    _ stem: String, _ suffix: String, in directory: String
  ) throws(OctNetError) -> String {
    let names = ["\(directory)/\(stem)-\(suffix)", "\(directory)/\(stem).\(suffix)"]
    let exists = FileManager.default.fileExists(atPath:)
    if let found = names.first(where: exists) { return found }
    if let packed = names.map({ $0 + ".gz" }).first(where: exists) { throw compressed(packed) }
    throw OctNetError.file(path: names[0], "no such file")
  }

  private static func compressed(_ path: String) -> OctNetError {
    .file(path: path, "compressed with gzip: unpack it first (gunzip --keep FILE.gz)")
  }

  private static func headerSize(rank: Int) -> Int { 4 + 4 * rank }

  /// The sizes and bytes of an array of `rank` dimensions, none of which is 0.
  static func read(_ path: String, rank: Int) throws(OctNetError) -> (sizes: [Int], values: [UInt8]) {
    let reader = try FileReader(path: path)
    let header = try reader.bytes(at: 0, count: min(reader.size, headerSize(rank: rank)))
    if header.starts(with: [0x1f, 0x8b]) { throw compressed(path) }
    guard header.count >= 4, header[0] == 0, header[1] == 0 else {
      let found = header.prefix(4).map { hexadecimal($0) }.joined(separator: " ")
      throw OctNetError.file(
        path: path,
        "not an IDX file: starts with \(found.isEmpty ? "nothing" : found), expected 00 00 08 0\(rank)")
    }
    guard header[2] == byteType else {
      throw OctNetError.file(
        path: path, "found element type 0x\(hexadecimal(header[2])), expected 0x08 (unsigned bytes)")
    }
    guard header[3] == rank else {
      throw OctNetError.file(path: path, "found an array of rank \(header[3]), expected rank \(rank)")
    }
    guard header.count == headerSize(rank: rank) else {
      throw OctNetError.file(
        path: path, "found \(reader.size) bytes, expected a header of \(headerSize(rank: rank))")
    }

    let sizes = (0..<rank).map { dimension in
      header[(4 + 4 * dimension)..<(8 + 4 * dimension)].reduce(0) { $0 << 8 | Int($1) }
    }
    let shape = sizes.map(String.init).joined(separator: "×")
    guard sizes.allSatisfy({ $0 > 0 }) else {
      throw OctNetError.file(path: path, "found sizes \(shape), expected every size above 0")
    }
    // Three 32-bit sizes can overflow 64 bits; whatever does is larger than any file.
    let length = sizes.dropFirst().reduce(sizes[0]) { product, size in
      let (result, overflow) = product.multipliedReportingOverflow(by: size)
      return overflow ? Int.max : result
    }
    let data = reader.size - headerSize(rank: rank)
    guard data == length else {
      let perRecord = length / sizes[0]
      throw OctNetError.file(
        path: path,
        "found \(data) bytes after the header (\(data / max(1, perRecord)) records), expected "
          + "\(length == .max ? "more than any file holds" : "\(length)") for the sizes \(shape) in it")
    }
    return (sizes, try reader.bytes(at: headerSize(rank: rank), count: length))
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
