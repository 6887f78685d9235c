import OctNetSupport

/// A file of `torch.save`: one pickle, and the numbers of its tensors beside it.
struct TorchFile {
  private(set) var entries: [SafetensorsFile.Entry] = []
  /// What was seen through and left out.
  private(set) var notes: [String] = []

  /// Protocol 2, and the number 0x1950A86A20F9469CFC6C.
  static let legacyMagic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
  private static let legacyProtocol = 1001

  /// Where the elements of a storage are.
  private enum Place {
    case file(Range<Int>)
    case member(ZipArchive.Member)
  }

  // MARK: Containers

  /// Of PyTorch since 1.6: a ZIP archive of `NAME/data.pkl`, `NAME/data/0`, …
  /// - Parameter pickle: the archive's member that is called so.
  init(_ archive: ZipArchive, pickle: ZipArchive.Member, reader: FileReader) throws(OctNetError) {
    let prefix = String(pickle.name.dropLast("data.pkl".count))
    guard archive.member(prefix + "constants.pkl") == nil else {
      throw OctNetError.file(
        path: reader.path, "a TorchScript program, expected weights; save model.state_dict() instead")
    }
    if let order = archive.member(prefix + "byteorder"), order.size <= 64 {
      let text = String(decoding: try archive.contents(of: order), as: UTF8.self)
      guard text == "little" else {
        throw OctNetError.file(
          path: reader.path,
          "numbers in the byte order \"\(StateMismatch.shortened(text))\", expected \"little\"")
      }
    }
    guard pickle.size <= FileLimit.pickle else {
      throw archive.error(pickle, "\(numbered(pickle.size, "byte")), expected at most \(FileLimit.pickle)")
    }
    let stream =
      pickle.isDeflated
      ? ByteStream(
        try archive.contents(of: pickle), path: reader.path, part: pickle.name)
      : ByteStream(reader, range: try archive.verifiedRange(ofStored: pickle), part: pickle.name)
    var machine = PickleMachine(stream)
    let root = try machine.load()
    try read(root, in: machine, reader) { storage throws(OctNetError) in
      let name = "\(prefix)data/\(storage.key)"
      guard let member = archive.member(name) else {
        throw OctNetError.file(
          path: reader.path,
          "the archive has no member \"\(StateMismatch.shortened(name))\", in which a tensor is")
      }
      let needed = storage.count.multipliedReportingOverflow(by: storage.dtype?.size ?? 1)
      guard !needed.overflow, member.size == needed.partialValue else {
        throw archive.error(
          member,
          "found \(numbered(member.size, "byte")), expected \(numbered(storage.count, "element")) of \(storage.dtype?.size ?? 1)"
        )
      }
      guard !member.isDeflated else { return .member(member) }
      return .file(try archive.verifiedRange(ofStored: member))
    } unpack: { member throws(OctNetError) in
      try archive.contents(of: member)
    }
  }

  /// Of PyTorch before 1.6: five pickles, then for each storage the number of its elements and these.
  init(legacy reader: FileReader) throws(OctNetError) {
    var machine = PickleMachine(ByteStream(reader, range: 0..<reader.size))
    guard case .large(Self.legacyMagic) = try machine.load() else {
      throw OctNetError.file(
        path: reader.path,
        "a Python pickle that torch.save has not written, \(ForeignFormat.expectation(ofWeights: true))")
    }
    let version = try machine.load()
    guard case .integer(Self.legacyProtocol) = version else {
      throw machine.error("PyTorch's protocol: expected \(Self.legacyProtocol), found \(version.kind)")
    }
    if case .dictionary(let index) = try machine.load() {
      for (key, value) in machine.dictionaries[index] {
        if case .text("little_endian") = key, case .bool(false) = value {
          throw machine.error("numbers in big-endian byte order, expected little-endian")
        }
      }
    }
    let root = try machine.load()
    let keys = try machine.load()
    let places = try Self.legacyPlaces(keys, machine, reader)
    try read(root, in: machine, reader) { storage throws(OctNetError) in
      guard let place = places[storage.key], place.dtype == storage.dtype, place.count == storage.count else {
        throw OctNetError.file(
          path: reader.path,
          "storage \"\(StateMismatch.shortened(storage.key))\" of \(numbered(storage.count, "element")) is not there, or is another"
        )
      }
      return .file(place.range)
    } unpack: { member throws(OctNetError) in
      preconditionFailure("no member \(member.name) in a file that is no archive")
    }
  }

  private typealias LegacyPlace = (dtype: SafetensorsFile.DType?, count: Int, range: Range<Int>)

  private static func legacyPlaces(
    _ keys: PickleValue, _ machine: PickleMachine, _ reader: FileReader
  ) throws(OctNetError) -> [String: LegacyPlace] {
    guard case .sequence(let index) = keys else {
      throw machine.error("expected the list of storages, found \(keys.kind)")
    }
    var dtypes: [String: SafetensorsFile.DType?] = [:]
    for storage in machine.storages { dtypes[storage.key] = .some(storage.dtype) }
    var places: [String: LegacyPlace] = [:]
    var stream = ByteStream(reader, range: machine.offset..<reader.size)
    for key in machine.sequences[index] {
      guard case .text(let name) = key, let dtype = dtypes[name] else {
        throw machine.error("expected the key of a storage, found \(key.kind)")
      }
      let count = Int(clamping: try stream.integer(UInt64.self))
      let (bytes, overflow) = count.multipliedReportingOverflow(by: dtype?.size ?? 1)
      let start = stream.offset
      guard !overflow, bytes <= stream.remaining else {
        throw stream.error(
          "truncated: storage \"\(StateMismatch.shortened(name))\" of \(numbered(count, "element")), found \(numbered(stream.remaining, "more byte"))"
        )
      }
      try stream.skip(bytes)
      guard places.updateValue((dtype, count, start..<start + bytes), forKey: name) == nil else {
        throw stream.error("storage \"\(StateMismatch.shortened(name))\" is there twice", at: start)
      }
    }
    guard stream.remaining == 0 else {
      throw stream.error("\(numbered(stream.remaining, "byte")) behind the last storage, expected none")
    }
    return places
  }

  // MARK: Tensors

  private mutating func read(
    _ root: PickleValue, in machine: PickleMachine, _ reader: FileReader,
    place: (PickleMachine.Storage) throws(OctNetError) -> Place,
    unpack: (ZipArchive.Member) throws(OctNetError) -> [UInt8]
  ) throws(OctNetError) {
    let search = try StateSearch(root, in: machine, file: reader.path)
    notes = search.notes
    var budget = ArrayBudget(path: reader.path, fileSize: reader.size)
    var places: [Int: Place] = [:]
    // All numbers are looked at before any is read.
    var total = 0
    for (name, index) in search.tensors {
      let tensor = machine.tensors[index]
      let storage = machine.storages[tensor.storage]
      // What is read for it, and what is made of that.
      try budget.take(
        max(tensor.array.extent, tensor.array.count), elementSize: tensor.dtype.size, for: name)
      total += tensor.array.count * tensor.dtype.size
      if places[tensor.storage] == nil {
        do throws(OctNetError) { places[tensor.storage] = try place(storage) } catch {
          guard case .file(let path, let problem) = error else { throw error }
          throw OctNetError.file(path: path, "\"\(StateMismatch.shortened(name))\": \(problem)")
        }
      }
    }
    try reader.requireMemory(total)
    // A view of a packed storage needs all of it; views of one come one after the other, mostly.
    var unpacked: (storage: Int, bytes: [UInt8])?
    for (name, index) in search.tensors {
      let tensor = machine.tensors[index]
      let size = tensor.dtype.size
      let (start, length) = (tensor.offset * size, tensor.array.extent * size)
      let bytes: [UInt8]
      switch places[tensor.storage] {
      case _ where length == 0: bytes = []
      case .file(let range): bytes = try reader.bytes(at: range.lowerBound + start, count: length)
      case .member(let member):
        if unpacked?.storage != tensor.storage {
          try budget.take(member.size, elementSize: 1, for: name)
          unpacked = (tensor.storage, try unpack(member))
        }
        bytes = unpacked.map { Array($0.bytes[start..<start + length]) } ?? []
      case nil: preconditionFailure("every storage has a place")
      }
      entries.append(
        SafetensorsFile.Entry(
          name: name, dtype: tensor.dtype, shape: tensor.array.shape,
          bytes: tensor.array.rowMajor(bytes, size: size)))
    }
  }
}
