/// The framing of an events file, that of TensorFlow's TFRecord:
///
///     u64 length | u32 masked CRC-32C of the length | data | u32 masked CRC-32C of the data
///
/// in little-endian order. A reader stops at the first record that is cut short, as a killed process leaves it.
enum EventRecord {
  static func framing(_ data: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(data.count))
    return length + littleEndian(maskedCheck(length)) + data + littleEndian(maskedCheck(data))
  }

  /// The mask keeps a check over data that itself holds checks from being one.
  static func maskedCheck(_ bytes: [UInt8]) -> UInt32 {
    let check = CyclicRedundancyCheck.castagnoli(bytes)
    return (check >> 15 | check << 17) &+ 0xA282_EAD8
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
  }
}
