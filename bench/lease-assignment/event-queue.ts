/** Events in virtual time, without a promise for each: the models of KCL have millions. */
interface Event {
  readonly due: number;
  readonly order: number;
  readonly action: () => void;
}

const isBefore = (a: Event, b: Event): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

export class EventQueue {
  /** Milliseconds. */
  now = 0;
  private count = 0;
  private readonly heap: Event[] = [];

  after(millis: number, action: () => void): void {
    const event = { due: this.now + millis, order: this.count++, action };
    let at = this.heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, this.heap[parent] as Event)) break;
      this.heap[at] = this.heap[parent] as Event;
      at = parent;
    }
    this.heap[at] = event;
  }

  run(millis: number): void {
    const end = this.now + millis;
    while (this.heap[0] && this.heap[0].due <= end) {
      const event = this.pop();
      this.now = event.due;
      event.action();
    }
    this.now = end;
  }

  private pop(): Event {
    const { heap } = this;
    const top = heap[0] as Event;
    const last = heap.pop() as Event;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
