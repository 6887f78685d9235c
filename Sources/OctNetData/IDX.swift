import Foundation
import OctNetCore
import OctNetSupport

/// MNIST and its descendants (LeCun, "The MNIST database"): an array of bytes behind a header of two zero bytes, the
/// element type, the rank, and one big-endian 32-bit size per dimension.
package enum IDX {
  package static let byteType: UInt8 = 0x08
  package static let intType: UInt8 = 0x0c

  /// The files are found by `IDXFiles`, whatever their archive calls them.
  package static func load(directory: String) throws(OctNetError) -> DataSplit {
    let files = try IDXFiles(directory)
    let train = try readPair(files.train), test = try readPair(files.test)
    guard train.height == test.height && train.width == test.width else {
      throw OctNetError.file(
        path: test.imagePath,
        "found images of \(test.height)×\(test.width), "
          + "expected \(train.height)×\(train.width) as in training")
    }
    // The format does not say how many classes there are; the training labels do, or their names.
    let names = try files.classNames(trainingLabels: train.labels)
    let classCount = names.count
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

  private static func readPair(_ files: IDXFiles.Pair) throws(OctNetError) -> Pair {
    let images = try read(files.images, rank: 3)
    let labels = try readLabels(files.labels)
    guard images.sizes[0] == labels.count else {
      throw OctNetError.file(
        path: files.labels,
        "found \(numbered(labels.count, "label")), expected \(images.sizes[0]), one for each image")
    }
    return Pair(
      imagePath: files.images, labelPath: files.labels, height: images.sizes[1], width: images.sizes[2],
      pixels: images.values, labels: labels)
  }

  /// One byte a label; or QMNIST's form, rows of 32-bit numbers of which the first is the class (Yadav, Bottou 2019).
  private static func readLabels(_ path: String) throws(OctNetError) -> [UInt8] {
    guard IDXFiles.hasWideLabels(path) else { return try read(path, rank: 1).values }
    let rows = try read(path, rank: 2, type: intType)
    let stride = 4 * rows.sizes[1]
    var labels: [UInt8] = []
    for row in 0..<rows.sizes[0] {
      let label = rows.values[row * stride..<row * stride + 4].reduce(0) { $0 << 8 | Int($1) }
      guard let byte = UInt8(exactly: label) else {
        throw OctNetError.file(
          path: path,
          "label \(label) at byte \(headerSize(rank: 2) + row * stride) (record \(row)), expected 0 to 255")
      }
      labels.append(byte)
    }
    return labels
  }

  private static func headerSize(rank: Int) -> Int { 4 + 4 * rank }

  /// The sizes and bytes of an array of `rank` dimensions, none of which is 0, in a file that may be compressed with gzip.
  package static func read(
    _ path: String, rank: Int, type: UInt8 = byteType
  ) throws(OctNetError) -> (sizes: [Int], values: [UInt8]) {
    let file = try FileReader(path: path)
    let start = try file.bytes(at: 0, count: min(file.size, headerSize(rank: rank)))
    guard start.starts(with: [0x1f, 0x8b]) else {
      let (sizes, length) = try shape(in: start, path: path, rank: rank, type: type)
      try checkLength(file.size - headerSize(rank: rank), is: length, sizes, path: path)
      return (sizes, try file.bytes(at: headerSize(rank: rank), count: length))
    }
    let packed = try GzipReader(path: path)
    let (sizes, length) = try shape(
      in: try packed.bytes(upTo: headerSize(rank: rank)), path: path, rank: rank, type: type)
    let values = try packed.bytes(upTo: length)
    // One byte more would be there if there were more.
    try checkLength(values.count + (try packed.bytes(upTo: 1)).count, is: length, sizes, path: path)
    return (sizes, values)
  }

  /// What the header says: sizes, and how many bytes follow it.
  private static func shape(
    in header: [UInt8], path: String, rank: Int, type: UInt8
  ) throws(OctNetError) -> (sizes: [Int], length: Int) {
    guard header.count >= 4, header[0] == 0, header[1] == 0 else {
      let found = header.prefix(4).map { hexadecimal($0) }.joined(separator: " ")
      throw OctNetError.file(
        path: path,
        "not an IDX file: starts with \(found.isEmpty ? "nothing" : found), "
          + "expected 00 00 \(hexadecimal(type)) 0\(rank)")
    }
    guard header[2] == type else {
      throw OctNetError.file(
        path: path,
        "found element type 0x\(hexadecimal(header[2])), expected 0x\(hexadecimal(type)) "
          + (type == byteType ? "(unsigned bytes)" : "(32-bit integers)"))
    }
    guard header[3] == rank else {
      throw OctNetError.file(path: path, "found an array of rank \(header[3]), expected rank \(rank)")
    }
    guard header.count == headerSize(rank: rank) else {
      throw OctNetError.file(
        path: path, "found \(numbered(header.count, "byte")), expected a header of \(headerSize(rank: rank))")
    }
    let sizes = (0..<rank).map { dimension in
      header[(4 + 4 * dimension)..<(8 + 4 * dimension)].reduce(0) { $0 << 8 | Int($1) }
    }
    guard sizes.allSatisfy({ $0 > 0 }) else {
      throw OctNetError.file(path: path, "found sizes \(text(sizes)), expected every size above 0")
    }
    // Three 32-bit sizes can overflow 64 bits; whatever does is larger than any file.
    let length = sizes.reduce(type == intType ? 4 : 1) { product, size in
      let (result, overflow) = product.multipliedReportingOverflow(by: size)
      return overflow ? Int.max : result
    }
    return (sizes, length)
  }

  private static func checkLength(
    _ found: Int, is length: Int, _ sizes: [Int], path: String
  ) throws(OctNetError) {
    guard found != length else { return }
    throw OctNetError.file(
      path: path,
      "found \(numbered(found, "byte")) after the header (\(numbered(found / max(1, length / sizes[0]), "record"))), expected "
        + "\(length == .max ? "more than any file holds" : "\(length)") for the sizes \(text(sizes)) in it")
  }

  private static func text(_ sizes: [Int]) -> String { sizes.map(String.init).joined(separator: "×") }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
