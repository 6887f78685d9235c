import OctNetSupport

/// Named arrays and, in safetensors, metadata, from a file of any format that is read; its first bytes tell which.
package struct WeightsFile {
  package enum Format: String, Sendable {
    case safetensors, pytorch, numpy, mxnet
  }

  package let format: Format
  /// As if it had been a safetensors file: the array's names, and metadata where the format has any.
  package let contents: SafetensorsFile
  /// What was seen through or left out, a line each.
  package let notes: [String]

  /// - Throws: `OctNetError.file` that names the array or the byte and what is wrong with it, or says what else the file is.
  package init(path: String) throws(OctNetError) {
    let reader = try FileReader(path: path)
    let start = try reader.bytes(at: 0, count: min(reader.size, ForeignFormat.startLength))
    if start.starts(with: ZipArchive.magic) {
      try self.init(archive: try ZipArchive(reader), start: start, reader)
    } else if ForeignFormat.isPickle(start) {
      let file = try TorchFile(legacy: reader)
      self.init(.pytorch, SafetensorsFile(entries: file.entries), notes: file.notes)
    } else if start.starts(with: MXNetFile.magic) {
      self.init(.mxnet, SafetensorsFile(entries: try MXNetFile.entries(reader)))
    } else if let found = ForeignFormat.describe(start, ofWeights: true) {
      throw OctNetError.file(path: path, found)
    } else {
      self.init(.safetensors, try SafetensorsFile(path: path))
    }
  }

  private init(_ format: Format, _ contents: SafetensorsFile, notes: [String] = []) {
    self.format = format
    self.contents = contents
    self.notes = notes
  }

  private init(archive: ZipArchive, start: [UInt8], _ reader: FileReader) throws(OctNetError) {
    if let pickle = archive.members.first(where: { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") })
    {
      let file = try TorchFile(archive, pickle: pickle, reader: reader)
      self.init(.pytorch, SafetensorsFile(entries: file.entries), notes: file.notes)
    } else if archive.members.contains(where: { $0.name.hasSuffix(".npy") }) {
      self.init(.numpy, SafetensorsFile(entries: try NumpyFile.entries(archive, reader)))
    } else {
      throw OctNetError.file(
        path: reader.path, ForeignFormat.describe(start, ofWeights: true) ?? "a ZIP archive without weights")
    }
  }
}
