import OctNetCore
import OctNetSupport

/// What a file is that was given for a file of weights, told by its first bytes, and what to do about it.
enum ForeignFormat {
  /// Enough for every format's mark; that of tar stands at byte 257.
  static let startLength = 512

  /// Protocols 2 to 5 of pickle; PyTorch's before 1.6.
  static func isPickle(_ start: [UInt8]) -> Bool {
    start.count > 1 && start[0] == 0x80 && (2...5).contains(start[1])
  }

  /// "expected a safetensors file", or any weights that are read.
  static func expectation(ofWeights: Bool) -> String {
    ofWeights
      ? "expected weights (safetensors, PyTorch's .pth, .npz or MXNet's .params)"
      : "expected a safetensors file"
  }

  /// `nil` for a safetensors file and for anything unknown.
  ///
  /// - Parameters:
  ///   - start: the first `startLength` bytes of the file, all of them where it is shorter.
  ///   - ofWeights: whether weights of other formats would have been read.
  static func describe(_ start: [UInt8], ofWeights: Bool = false) -> String? {
    let expectation = expectation(ofWeights: ofWeights)
    if start.isEmpty { return "empty, \(expectation)" }
    // A header's length below 2³², and the header.
    if start.count > 8, start[4..<8].allSatisfy({ $0 == 0 }), start[8] == UInt8(ascii: "{") { return nil }
    let found = binary(start) ?? text(start)
    return found.map {
      "\($0.what), \(expectation)" + ($0.advice.isEmpty ? "" : "; " + $0.advice)
    }
  }

  private typealias Finding = (what: String, advice: String)

  private static func binary(_ start: [UInt8]) -> Finding? {
    func has(_ bytes: [UInt8], at offset: Int = 0) -> Bool { start.dropFirst(offset).starts(with: bytes) }
    func has(_ text: String, at offset: Int = 0) -> Bool { has(Array(text.utf8), at: offset) }

    if has(ZipArchive.magic) { return archive(start) }
    if isPickle(start) { return ("a Python pickle (.pth, .pt, .pkl)", "") }
    if has(MXNetFile.magic) { return ("weights of MXNet (.params)", "") }
    if has([0x93] + Array("NUMPY".utf8)) {
      return ("a NumPy array (.npy)", "save arrays under names with numpy.savez")
    }
    if has([0x89] + Array("HDF\r\n".utf8) + [0x1a, 0x0a]) {
      return ("an HDF5 file, such as Keras's .h5", "")
    }
    for (mark, name, command) in [
      ([0x1f, 0x8b], "gzip", "gunzip"), (Array("BZh".utf8), "bzip2", "bunzip2"),
      ([0xfd] + Array("7zXZ".utf8), "xz", "unxz"), ([0x28, 0xb5, 0x2f, 0xfd], "Zstandard", "unzstd"),
    ] as [([UInt8], String, String)] where has(mark) {
      return ("compressed by \(name)", "unpack it with \(command) first")
    }
    if has("ustar", at: 257) { return ("a tar archive", "unpack it first") }
    if has("GGUF") { return ("a GGUF file", "") }
    if has("TFL3", at: 4) { return ("a TensorFlow Lite model", "") }
    // Protocol buffers: ir_version, then producer_name.
    if start.count > 3, start[0] == 8, start[1] < 32, start[2] == 0x12, Int(start[3]) < 64 {
      return ("an ONNX model", "save the weights of the model that it was exported from")
    }
    if start.count >= 64, start.allSatisfy({ $0 == 0 }) {
      return ("a file that begins with zeros, as a download that broke off", "fetch it again")
    }
    return nil
  }

  /// A ZIP archive by the name of its first member, which stands behind 30 bytes.
  private static func archive(_ start: [UInt8]) -> Finding {
    guard start.count > 30 else { return ("a ZIP archive", "") }
    let length = Int(start[26]) | Int(start[27]) << 8
    let name = String(decoding: start.dropFirst(30).prefix(length), as: UTF8.self)
    if name.hasSuffix("/data.pkl") || name.hasSuffix("/version") || name.hasSuffix("/byteorder") {
      return ("a PyTorch file (.pth, .pt)", "")
    }
    if name.hasSuffix(".npy") { return ("NumPy arrays (.npz)", "") }
    if name == "metadata.json" || name == "config.json" { return ("a Keras model (.keras)", "") }
    return ("a ZIP archive", "")
  }

  private static func text(_ start: [UInt8]) -> Finding? {
    var bytes = start[...]
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
    bytes = bytes.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
    let text = String(decoding: bytes, as: UTF8.self)
    let lowercase = text.lowercased()
    if lowercase.hasPrefix("version https://git-lfs") {
      return ("a pointer of Git LFS", "the file itself comes with: git lfs pull")
    }
    if lowercase.hasPrefix("<!doctype html") || lowercase.hasPrefix("<html") {
      return (
        "a web page (HTML)",
        "the link leads to a page about the file or asks for a login; on Hugging Face, links to files have /resolve/ in place of /blob/"
      )
    }
    if lowercase.hasPrefix("<?xml") || lowercase.hasPrefix("<error") {
      return ("XML, such as a server's message in place of the file", "")
    }
    if text.hasPrefix("{") {
      if text.contains("\"weight_map\"") || text.contains("\"total_size\"") {
        return ("the index (JSON) of a safetensors file in several parts", "save the weights in one file")
      }
      return ("JSON", "")
    }
    guard !bytes.isEmpty, bytes.allSatisfy({ (0x20...0x7e).contains($0) || (0x09...0x0d).contains($0) })
    else {
      return nil
    }
    let line = text.prefix { !$0.isNewline }
    return ("text that begins with \"\(line.prefix(40))\"", "")
  }
}
