import OctNetCore
import OctNetSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The contents of a safetensors file: named arrays and a table of strings, in the header's order.
///
/// Layout: the header's length as u64 little-endian, the header in JSON, the data. Reading is in
/// `SafetensorsReader.swift`, writing in `SafetensorsWriter.swift`. The machine is little-endian, as the format.
public struct SafetensorsFile: Equatable, Sendable {
  /// Kinds of numbers, by their names in the file.
  public enum DType: String, CaseIterable, Sendable {
    /// A byte that is 0 or 1.
    case bool = "BOOL"
    /// 8 bits without a sign.
    case u8 = "U8"
    /// 8 bits with a sign.
    case i8 = "I8"
    /// 8 bits: 4 of exponent, 3 of fraction.
    case f8e4m3 = "F8_E4M3"
    /// 8 bits: 5 of exponent, 2 of fraction.
    case f8e5m2 = "F8_E5M2"
    /// 16 bits with a sign.
    case i16 = "I16"
    /// 16 bits without a sign.
    case u16 = "U16"
    /// IEEE half precision.
    case f16 = "F16"
    /// The upper half of a single-precision number.
    case bf16 = "BF16"
    /// 32 bits with a sign.
    case i32 = "I32"
    /// 32 bits without a sign.
    case u32 = "U32"
    /// IEEE single precision.
    case f32 = "F32"
    /// 64 bits with a sign.
    case i64 = "I64"
    /// 64 bits without a sign.
    case u64 = "U64"
    /// IEEE double precision.
    case f64 = "F64"

    /// Bytes of one element.
    public var size: Int {
      switch self {
      case .bool, .u8, .i8, .f8e4m3, .f8e5m2: return 1
      case .i16, .u16, .f16, .bf16: return 2
      case .i32, .u32, .f32: return 4
      case .i64, .u64, .f64: return 8
      }
    }
  }

  /// One array; `bytes` are its elements, row-major.
  public struct Entry: Equatable, Sendable {
    /// The key in the file.
    public var name: String
    /// The kind of its numbers.
    public var dtype: DType
    /// Row-major; empty for a single number.
    public var shape: [Int]
    /// Little-endian.
    public var bytes: [UInt8]

    /// - Precondition: the bytes are as many as the shape needs.
    public init(name: String, dtype: DType, shape: [Int], bytes: [UInt8]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
      self.bytes = bytes
    }

    /// Single-precision numbers.
    public init(name: String, tensor: Tensor) {
      let bytes = tensor.values.withUnsafeBytes { Self.copy($0) }
      self.init(name: name, dtype: .f32, shape: tensor.shape, bytes: bytes)
    }

    /// A scalar of rank 0.
    public init(name: String, int64 value: Int64) {
      let bytes = withUnsafeBytes(of: value.littleEndian) { Self.copy($0) }
      self.init(name: name, dtype: .i64, shape: [], bytes: bytes)
    }

    /// One memcpy in debug builds, too.
    private static func copy(_ source: UnsafeRawBufferPointer) -> [UInt8] {
      [UInt8](unsafeUninitializedCapacity: source.count) { buffer, count in
        if let from = source.baseAddress, let to = buffer.baseAddress { memcpy(to, from, source.count) }
        count = source.count
      }
    }
  }

  /// Text by key, from the header's `__metadata__`.
  public var metadata: [String: String]
  /// In the order of the file.
  public var entries: [Entry]

  /// A file to be written.
  public init(metadata: [String: String] = [:], entries: [Entry] = []) {
    self.metadata = metadata
    self.entries = entries
  }
}

// MARK: Elements

extension SafetensorsFile.Entry {
  /// The elements as Float: F32 as they are, F16, BF16, F64 and I64 converted (rounded where Float is narrower).
  /// - Throws: `OctNetError.stateDictionary`, which names the array, for any other element type.
  public func floats() throws(OctNetError) -> [Float] {
    switch dtype {
    case .f32: return elements { (bits: UInt32) in Float(bitPattern: bits) }
    case .f16: return elements(Self.float(half:))
    case .bf16: return elements { (bits: UInt16) in Float(bitPattern: UInt32(bits) << 16) }
    case .f64: return elements { (bits: UInt64) in Float(Double(bitPattern: bits)) }
    case .i64: return elements { (value: Int64) in Float(value) }
    default:
      throw OctNetError.stateDictionary(
        StateMismatch(unfit: ["\(name) of \(dtype.rawValue) instead of F32, F16, BF16, F64 or I64"]))
    }
  }

  /// The value of a counter: one element of any integers or floating-point numbers, those without their fraction.
  /// `nil` for anything else, and for values that an Int64 does not hold.
  var counter: Int64? {
    guard shape == [] || shape == [1] else { return nil }
    func integer<Source: FixedWidthInteger>(_ type: Source.Type) -> Int64? {
      Int64(exactly: bytes.withUnsafeBytes { Source(littleEndian: $0.loadUnaligned(as: type)) })
    }
    switch dtype {
    case .i8: return integer(Int8.self)
    case .u8: return integer(UInt8.self)
    case .i16: return integer(Int16.self)
    case .u16: return integer(UInt16.self)
    case .i32: return integer(Int32.self)
    case .u32: return integer(UInt32.self)
    case .i64: return integer(Int64.self)
    case .u64: return integer(UInt64.self)
    case .f64:
      let bits = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
      return Int64(exactly: Double(bitPattern: bits).rounded(.towardZero))
    case .f32, .f16, .bf16:
      guard let value = try? floats().first else { return nil }
      return Int64(exactly: value.rounded(.towardZero))
    case .bool, .f8e4m3, .f8e5m2: return nil
    }
  }

  /// The value of a rank 0 (or one-element) I64 array, `nil` for anything else.
  public var int64: Int64? {
    guard dtype == .i64, bytes.count == 8 else { return nil }
    return bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
  }

  private func elements<Source: BitwiseCopyable>(_ convert: (Source) -> Float) -> [Float] {
    let count = bytes.count / MemoryLayout<Source>.stride
    return bytes.withUnsafeBytes { source in
      [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        if dtype == .f32, let from = source.baseAddress, let to = buffer.baseAddress {
          memcpy(to, from, count * 4)
        } else {
          for i in 0..<count {
            let element = source.loadUnaligned(
              fromByteOffset: i * MemoryLayout<Source>.stride, as: Source.self)
            buffer.initializeElement(at: i, to: convert(element))
          }
        }
        initialized = count
      }
    }
  }

  /// Not through Float16, which some platforms of Swift lack.
  private static func float(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7fff)
    let sign = UInt32(bits & 0x8000) << 16
    if magnitude >= 0x7c00 {  // infinity and NaN keep their payload
      return Float(bitPattern: sign | 0x7f80_0000 | (magnitude & 0x3ff) << 13)
    }
    // Exponent bias 15 → 127 by one multiplication, which also normalises the subnormal ones.
    let value = Float(bitPattern: magnitude << 13) * 0x1p112
    return Float(bitPattern: value.bitPattern | sign)
  }
}
