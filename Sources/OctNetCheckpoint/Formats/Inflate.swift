import OctNetSupport

/// Unpacks DEFLATE (RFC 1951) whose length is known: no byte more is made, whatever the data say.
struct Inflate {
  struct Failure: Error {
    var problem: String
    /// In the packed bytes.
    var offset: Int
  }

  private let packed: UnsafeBufferPointer<UInt8>
  private var place = 0
  /// Bits that were read and not yet used, the next one lowest.
  private var bits: UInt64 = 0
  private var bitCount = 0
  /// How many of these are zeros behind the end.
  private var borrowed = 0
  private let output: UnsafeMutableBufferPointer<UInt8>
  private var made = 0

  /// - Throws: `Failure` for damaged data, and where they unpack to another number of bytes.
  static func unpack(_ packed: [UInt8], count: Int) throws(Failure) -> [UInt8] {
    var failure: Failure?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
      // Nothing that was not written may be looked at.
      initialized = 0
      failure = packed.withUnsafeBufferPointer { packed -> Failure? in
        var inflate = Inflate(
          packed: packed, output: UnsafeMutableBufferPointer(start: output.baseAddress, count: count))
        do throws(Failure) { try inflate.run() } catch { return error }
        initialized = inflate.made
        return nil
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private init(packed: UnsafeBufferPointer<UInt8>, output: UnsafeMutableBufferPointer<UInt8>) {
    self.packed = packed
    self.output = output
  }

  private func failure(_ problem: String) -> Failure { Failure(problem: problem, offset: place) }

  private mutating func run() throws(Failure) {
    var isLast = false
    while !isLast {
      isLast = try take(1) == 1
      switch try take(2) {
      case 0: try stored()
      case 1: try block(Self.fixedLiterals, Self.fixedDistances)
      case 2:
        let (literals, distances) = try tables()
        try block(literals, distances)
      default: throw failure("a block of an unknown kind")
      }
    }
    guard made == output.count else {
      throw failure("unpacks to \(numbered(made, "byte")), expected \(output.count)")
    }
  }

  // MARK: Bits

  /// At least 32 bits, zeros behind the end.
  private mutating func fill() {
    while bitCount <= 56 {
      if place < packed.count {
        bits |= UInt64(packed[place]) << UInt64(bitCount)
        place += 1
      } else {
        borrowed += 8
      }
      bitCount += 8
    }
  }

  private mutating func drop(_ count: Int) throws(Failure) {
    bits >>= UInt64(count)
    bitCount -= count
    if borrowed > bitCount { throw failure("truncated") }
  }

  private mutating func take(_ count: Int) throws(Failure) -> Int {
    if bitCount < count { fill() }
    let value = Int(bits & ((1 << UInt64(count)) - 1))
    try drop(count)
    return value
  }

  // MARK: Blocks

  private mutating func stored() throws(Failure) {
    try drop(bitCount % 8)
    let (length, complement) = (try take(16), try take(16))
    guard length == ~complement & 0xffff else { throw failure("the length of a stored block is damaged") }
    guard length <= output.count - made else { throw tooLong }
    for _ in 0..<length { write(UInt8(try take(8))) }
  }

  private var tooLong: Failure {
    failure("unpacks to more than the \(numbered(output.count, "byte")) expected")
  }

  private mutating func write(_ byte: UInt8) {
    output.initializeElement(at: made, to: byte)
    made += 1
  }

  private static let lengthBases = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
  ]
  private static let lengthBits = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
  ]
  private static let distanceBases = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145, 8193, 12289, 16385, 24577,
  ]

  private mutating func block(_ literals: Code, _ distances: Code) throws(Failure) {
    while true {
      let symbol = try decode(literals)
      if symbol < 256 {
        guard made < output.count else { throw tooLong }
        write(UInt8(symbol))
        continue
      }
      if symbol == 256 { return }
      guard symbol < 257 + Self.lengthBases.count else { throw failure("an unknown length") }
      let length = Self.lengthBases[symbol - 257] + (try take(Self.lengthBits[symbol - 257]))
      let far = try decode(distances)
      guard far < Self.distanceBases.count else { throw failure("an unknown distance") }
      let distance = Self.distanceBases[far] + (try take(max(0, far / 2 - 1)))
      guard distance <= made else { throw failure("a distance to in front of the data") }
      guard length <= output.count - made else { throw tooLong }
      // The two may overlap.
      for _ in 0..<length { write(output[made - distance]) }
    }
  }

  private mutating func tables() throws(Failure) -> (literals: Code, distances: Code) {
    let literalCount = try take(5) + 257
    let distanceCount = try take(5) + 1
    let codeCount = try take(4) + 4
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    var codeLengths = Array(repeating: 0, count: 19)
    for index in order.prefix(codeCount) { codeLengths[index] = try take(3) }
    guard literalCount <= 286, distanceCount <= 30, let code = Code(lengths: codeLengths) else {
      throw failure("the codes of a block are damaged")
    }
    var lengths: [Int] = []
    while lengths.count < literalCount + distanceCount {
      let symbol = try decode(code)
      switch symbol {
      case 0..<16: lengths.append(symbol)
      case 16:
        guard let last = lengths.last else { throw failure("the codes of a block are damaged") }
        lengths += Array(repeating: last, count: 3 + (try take(2)))
      case 17: lengths += Array(repeating: 0, count: 3 + (try take(3)))
      default: lengths += Array(repeating: 0, count: 11 + (try take(7)))
      }
    }
    guard lengths.count == literalCount + distanceCount, lengths[256] > 0,
      let literals = Code(lengths: Array(lengths[..<literalCount])),
      let distances = Code(lengths: Array(lengths[literalCount...]), mayBeEmpty: true)
    else { throw failure("the codes of a block are damaged") }
    return (literals, distances)
  }

  // MARK: Codes

  private mutating func decode(_ code: Code) throws(Failure) -> Int {
    if bitCount < 15 { fill() }
    let entry = code.short[Int(bits & UInt64(Code.shortMask))]
    if entry != 0 {
      try drop(Int(entry & 15))
      return Int(entry >> 4)
    }
    // Longer than the table's: bit by bit, in the canonical order of codes.
    var (value, first, index) = (0, 0, 0)
    for length in 1...15 {
      value |= Int(bits >> UInt64(length - 1) & 1)
      let count = code.counts[length]
      if value - count < first {
        try drop(length)
        return code.symbols[index + value - first]
      }
      index += count
      first = (first + count) << 1
      value <<= 1
    }
    throw failure("a code that no symbol has")
  }

  /// A canonical Huffman code.
  private struct Code {
    static let shortBits = 9
    static let shortMask = (1 << shortBits) - 1
    /// By the next bits: the symbol above its code's length in the lowest four; 0 where the code is longer.
    var short = [UInt16](repeating: 0, count: 1 << shortBits)
    /// Codes of each length.
    var counts = Array(repeating: 0, count: 16)
    /// In the order of their codes.
    var symbols: [Int] = []

    /// `nil` where lengths promise more codes than there are, or fewer; only one code may be alone.
    init?(lengths: [Int], mayBeEmpty: Bool = false) {
      for length in lengths where length > 0 { counts[length] += 1 }
      var left = 1
      for length in 1...15 {
        left = left << 1 - counts[length]
        if left < 0 { return nil }
      }
      let used = counts.reduce(0, +)
      guard left == 0 || (used == 1 && counts[1] == 1) || (used == 0 && mayBeEmpty) else { return nil }
      for length in 1...15 where counts[length] > 0 {
        for (symbol, own) in lengths.enumerated() where own == length { symbols.append(symbol) }
      }
      fillShort()
    }

    private mutating func fillShort() {
      var (code, index) = (0, 0)
      for length in 1...Self.shortBits {
        for _ in 0..<counts[length] {
          // Codes are read from their highest bit, and bits of the stream from the lowest.
          var reversed = 0
          for bit in 0..<length where code >> bit & 1 == 1 { reversed |= 1 << (length - 1 - bit) }
          let entry = UInt16(symbols[index] << 4 | length)
          var place = reversed
          while place < short.count {
            short[place] = entry
            place += 1 << length
          }
          code += 1
          index += 1
        }
        code <<= 1
      }
    }
  }

  private static let fixedLiterals = fixed(
    Array(repeating: 8, count: 144) + Array(repeating: 9, count: 112) + Array(repeating: 7, count: 24)
      + Array(repeating: 8, count: 8))
  private static let fixedDistances = fixed(Array(repeating: 5, count: 32))

  private static func fixed(_ lengths: [Int]) -> Code {
    guard let code = Code(lengths: lengths) else { preconditionFailure("the fixed codes are complete") }
    return code
  }
}

/// CRC-32 of ZIP, gzip and PNG, polynomial 0xEDB88320.
struct CRC32 {
  private var register = ~UInt32(0)

  var value: UInt32 { ~register }

  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var checksum = CRC32()
    checksum.add(bytes)
    return checksum.value
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
  }

  mutating func add(_ bytes: [UInt8]) {
    register = Self.table.withUnsafeBufferPointer { table in
      bytes.withUnsafeBufferPointer { bytes in
        var value = register
        for byte in bytes { value = table[Int((value ^ UInt32(byte)) & 0xff)] ^ value >> 8 }
        return value
      }
    }
  }
}
