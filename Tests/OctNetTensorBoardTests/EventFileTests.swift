import Foundation
import SwiftProtobuf
import Testing

import OctNet
@testable import OctNetTensorBoard

struct EventFileTests {
  private func bytes(_ hexadecimal: String) -> [UInt8] {
    stride(from: 0, to: hexadecimal.count, by: 2).compactMap {
      UInt8(hexadecimal.dropFirst($0).prefix(2), radix: 16)
    }
  }

  /// What TensorBoard's own `RecordWriter` writes for this event.
  @Test func framing() throws {
    let event = Tensorboard_Event.with { ($0.wallTime, $0.step, $0.fileVersion) = (1.5, 2, "brain.Event:2") }
    let expected = bytes(
      "1a00000000000000" + "129bd82d" + "09000000000000f83f10021a0d627261696e2e4576656e743a32" + "eb1c4e44")
    #expect(EventRecord.framing(try event.serializedBytes()) == expected)
    #expect(try EventReader.events(in: expected) == [event])
  }

  /// What Python's protobuf writes for TensorBoard's own messages.
  @Test(
    arguments: [
      (.sessionStart(step: 7), "3a020801"),
      (.scalars(["a": 0.5], step: 7), "2a0a0a080a0161150000003f"),
      (.text("a", "hi", step: 7), "2a1d0a1b0a0161420c0807120412020801420268694a080a060a0474657874"),
    ] as [(Tensorboard_Event, String)])
  func messages(event: Tensorboard_Event, hexadecimal: String) throws {
    var event = event
    event.wallTime = 1.5
    #expect(try event.serializedBytes() == bytes("09000000000000f83f1007" + hexadecimal))
  }

  @Test func anImageMessage() throws {
    let image = RGBImage(width: 3, height: 2, fill: (1, 2, 3))
    var event = Tensorboard_Event.image("a", image, step: 7)
    event.wallTime = 1.5
    #expect(event.summary.value[0].image.encodedImageString == Data(PNGEncoder.encode(image)))
    event.summary.value[0].image.encodedImageString = Data("x".utf8)
    let expected = bytes("09000000000000f83f10072a100a0e0a01612209080210031803220178")
    #expect(try event.serializedBytes() == expected)
  }

  @Test func everyFlippedBitIsNoticed() throws {
    let record = EventRecord.framing(try Tensorboard_Event.scalars(["a": 0.5], step: 1).serializedBytes())
    for bit in 0..<8 * record.count {
      var damaged = record
      damaged[bit / 8] ^= 1 << (bit % 8)
      #expect(throws: EventReader.Damage.self) { try EventReader.events(in: damaged) }
    }
  }

  @Test func eventsComeBackInOrderWithTheTime() throws {
    let directory = try ScratchDirectory()
    let before = Date().timeIntervalSince1970
    let file = try EventFile(directory: directory.path)
    for step in 1...300 { try file.append(.scalars(["loss": Double(step) / 4], step: step)) }
    try file.flush()
    let events = try EventReader.events(ofFile: file.path)
    #expect(events.first?.fileVersion == "brain.Event:2")
    #expect(events.dropFirst().map(\.step) == Array(1...300))
    #expect(events.dropFirst().map { $0.summary.value[0].simpleValue } == (1...300).map { Float($0) / 4 })
    #expect(events.allSatisfy { $0.wallTime >= before && $0.wallTime <= Date().timeIntervalSince1970 })
  }

  @Test func nothingIsWrittenForEveryEvent() throws {
    let directory = try ScratchDirectory()
    let file = try EventFile(directory: directory.path)
    try file.append(.scalars(["loss": 1], step: 1))
    #expect(try Data(contentsOf: URL(fileURLWithPath: file.path)).isEmpty)
  }

  @Test func aLaterFileSortsBehindAnEarlierOneWhateverTheClockSays() throws {
    let directory = try ScratchDirectory()
    let first = try EventFile(directory: directory.path)
    let second = try EventFile(directory: directory.path)
    #expect(first.path < second.path)
    let future = "events.out.tfevents.4000000000.host.1"
    try Data().write(to: URL(fileURLWithPath: directory.path + "/" + future))
    let third = try EventFile(directory: directory.path)
    #expect(third.path.hasPrefix(directory.path + "/events.out.tfevents.4000000001."))
  }

  @Test func aMissingDirectoryIsNamed() {
    let error = #expect(throws: OctNetError.self) { try EventFile(directory: "/nowhere/run") }
    #expect(error?.description.hasPrefix("/nowhere/run/events.out.tfevents.") == true)
    #expect(error?.description.hasSuffix(": cannot create: No such file or directory") == true)
  }
}
